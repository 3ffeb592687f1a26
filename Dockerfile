# The image of a worker, and of every other command: `docker build -t sluice .`
FROM node:24-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /sluice
COPY --from=build /src/package.json ./
COPY --from=build /src/bin ./bin
COPY --from=build /src/dist ./dist
COPY --from=build /src/examples ./examples
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/sluice.schema.json ./
# Nothing is kept in the container: state is in the database and the object storage.
USER node
WORKDIR /work
ENTRYPOINT ["node", "/sluice/bin/sluice.js"]
