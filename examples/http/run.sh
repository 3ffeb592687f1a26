#!/bin/sh
# The whole way of a job over HTTP: create, upload, start, stream, stop early, download, retry.
#
#   npx sluice serve &
#   sh examples/http/run.sh
#
# SLUICE_URL  where the server is      (http://127.0.0.1:4777)
# SLUICE_KEY  a key, where it asks for one: `npx sluice key create`
# ROWS        rows to make up          (10003)
# OUT         where files go           (a new folder)
set -eu

url=${SLUICE_URL:-http://127.0.0.1:4777}
rows=${ROWS:-10003}
out=${OUT:-$(mktemp -d)}

# Fails where the server says no, and shows what it says.
api() {
  curl --silent --show-error --fail-with-body ${SLUICE_KEY:+--header "Authorization: Bearer $SLUICE_KEY"} "$@"
}

# The first value of a name in a JSON answer, without its quotes.
field() {
  grep -o "\"$1\":\"\{0,1\}[^\",}]*" | head -n 1 | sed "s/\"$1\":\"\{0,1\}//"
}

# Waits until the job stands in a state.
wait_for() {
  until state=$(api "$url/api/v1/jobs/$job" | field state) && [ "$state" = "$1" ]; do
    [ "$state" != failed ] || { echo "the job failed" >&2; exit 1; }
    sleep 0.5
  done
}

# A customer list, made up.
awk -v rows="$rows" 'BEGIN { print "id,company,employees"; for (i = 1; i <= rows; i++) printf "c%d,Company %d,%d\n", i, i, i % 900 }' > "$out/customers.csv"

# 1. Create. The same Idempotency-Key again would be answered with the same job.
created=$(api "$url/api/v1/jobs" --header 'Content-Type: application/json' --header "Idempotency-Key: $$-$(date +%s)" --data '{
  "filename": "customers.csv",
  "name": "segments",
  "columns_hint": ["id", "company", "employees"],
  "prompt_template": "Which segment is {{ company }}, with {{ employees }} employees?",
  "schema_hint": { "segment": "enum[small, mid, large]", "confidence": "number(0..1)" },
  "model": "simulator/segments"
}')
job=$(echo "$created" | field job_id)
echo "created    $job"

# 2. Upload. Where the connection breaks, `HEAD` of the same address says how much is there, and `Content-Range` goes on.
api --output /dev/null --upload-file "$out/customers.csv" --header 'Content-Type: text/csv' "$(echo "$created" | field upload_url)"
echo "uploaded   $(wc -c < "$out/customers.csv") bytes"

# 3. Start: answers at once; the input is read in the background.
api --output /dev/null --request POST "$url/api/v1/jobs/$job/start"

# 4. Stream: rows as chunks finish. Here only the first 300; the `_cursor` of the last one would go on behind it with `?after=`.
api --no-buffer "$url/api/v1/jobs/$job/results/stream" 2> /dev/null | head -n 300 > "$out/first.ndjson"
echo "streamed   $(wc -l < "$out/first.ndjson") rows"

# 5. Stop early. What is finished stays, and is all that was paid for.
api --output /dev/null --request POST "$url/api/v1/jobs/$job/cancel"
wait_for cancelled
echo "stopped    $(api "$url/api/v1/jobs/$job" | field succeeded) of $rows rows were done"

# 6. Download what there is, in input order.
api --output "$out/early.csv" "$url/api/v1/jobs/$job/results/download?format=csv"

# 7. Retry: the rows that were not done run again, as a new round; no finished row is asked twice.
api --output /dev/null --header 'Content-Type: application/json' --data '{"causes":["cancelled"]}' "$url/api/v1/jobs/$job/retry"
wait_for completed
api --output "$out/segments.csv" "$url/api/v1/jobs/$job/results/download?format=csv"
echo "completed  $(api "$url/api/v1/jobs/$job" | field succeeded) rows, \$$(api "$url/api/v1/jobs/$job" | field cost_usd): $out/segments.csv"
