# syntax=docker/dockerfile:1
# A server that embeds on the CPU. Put it beside your package.json, which depends on stainfold, with node_modules in .dockerignore:
#   docker build -f cpu.Dockerfile -t embedder . && docker run --rm embedder
# Debian, not Alpine: LibTorch is built for glibc. Its steps were run in a bare Debian 12; no Docker ran where this was written.
FROM node:22-bookworm-slim AS install
WORKDIR /app
# npm leaves development's packages away, whatever it is called for.
ENV NODE_ENV=production
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
# LibTorch, pinned by its digest: 0.2 GB to download. In a layer of its own: it changes with stainfold, not with your code.
ENV STAINFOLD_CACHE=/opt/stainfold
RUN npx stainfold setup --yes --variant cpu

FROM node:22-bookworm-slim
# With it JPEG tiles are decoded 4 times as fast; slim images have none.
RUN apt-get update && apt-get install -y --no-install-recommends libjpeg62-turbo && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production STAINFOLD_CACHE=/opt/stainfold
COPY --from=install /opt/stainfold /opt/stainfold
COPY . .
COPY --from=install /app/node_modules node_modules
USER node
# Your program's command goes here.
CMD ["node_modules/.bin/stainfold", "doctor"]
