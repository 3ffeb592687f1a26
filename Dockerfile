# The image of the server, of a worker, and of every other command: `docker build -t sluice .`
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
COPY --from=build /src/deploy/docker/health.mjs ./
# Nothing is kept in the container: state is in the database and the object storage.
USER node
WORKDIR /work
EXPOSE 4777 9464
# Of a server by /livez, of a worker by its health file (/tmp/health).
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "/sluice/health.mjs"]
ENTRYPOINT ["node", "/sluice/bin/sluice.js"]
