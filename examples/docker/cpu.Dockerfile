# syntax=docker/dockerfile:1
# A server that embeds on the CPU. Put it beside your package.json, which depends on stainfold:
#   docker build -f cpu.Dockerfile -t embedder . && docker run --rm embedder
# Debian, not Alpine: LibTorch is built for glibc. Not built yet: no Docker runs where this was written.
FROM node:22-bookworm-slim AS install
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts
# LibTorch, pinned by its digest. In an image of its own layer: it changes with stainfold, not with your code.
ENV STAINFOLD_CACHE=/opt/stainfold
RUN npx stainfold setup --yes --variant cpu

FROM node:22-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production STAINFOLD_CACHE=/opt/stainfold
COPY --from=install /opt/stainfold /opt/stainfold
COPY --from=install /app/node_modules node_modules
COPY . .
USER node
# Your program's command goes here.
CMD ["npx", "stainfold", "doctor"]
