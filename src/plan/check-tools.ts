import type { Price } from '../domain/money.ts'
import type { ModelTarget } from '../domain/request.ts'
import type { InputSpec, PriceSpec } from '../domain/spec.ts'

/** What `check` learns of an input without reading all of it. A `Source` of intake is one. */
export interface InputPreview {
  readonly columns: readonly string[]
  readonly format: string
  readonly files: readonly string[]
  readonly bytesTotal: number | null
  /** `null`: not known without reading on. */
  readonly rowsTotal: number | null
  readonly notes: readonly string[]
}

/** What `check` asks of other rooms. */
export interface CheckTools {
  /** Reads one variable of the environment. */
  env(name: string): string | undefined
  /** Looks at the beginning of the input; `null`: it is still to come. Rejects with a SluiceError where it cannot be read. */
  describeInput(input: InputSpec, baseDir: string): Promise<InputPreview | null>
  /** The price of a model: the spec's own, else the table's, else `null`. */
  price(target: ModelTarget, own: PriceSpec | null): Price | null
  /** Whether its provider has a batch API that sluice knows. */
  hasBatches(target: ModelTarget): boolean
  /** Whether it takes slow requests at the price of a batch, as far as sluice knows. */
  hasFlex(target: ModelTarget): boolean
}
