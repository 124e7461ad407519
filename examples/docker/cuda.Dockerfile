# syntax=docker/dockerfile:1
# The same with CUDA 13. The driver is the host's, 580 or newer, and comes in with the NVIDIA Container Toolkit:
#   docker build -f cuda.Dockerfile -t embedder . && docker run --rm --gpus all embedder
# No CUDA base image: the CUDA libraries come with LibTorch (2.7 GB to download, 4.8 GB unpacked). An image is built without a GPU, so the
# variant is named. Not built yet: no Docker ran where this was written.
FROM node:22-bookworm-slim AS install
WORKDIR /app
# npm leaves development's packages away, whatever it is called for.
ENV NODE_ENV=production
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
ENV STAINFOLD_CACHE=/opt/stainfold
# Adds @stainfold/linux-x64-cu130, unless package.json has it.
RUN npx stainfold setup --yes --variant cu130

FROM node:22-bookworm-slim
# With it JPEG tiles are decoded 4 times as fast; slim images have none.
RUN apt-get update && apt-get install -y --no-install-recommends libjpeg62-turbo && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production STAINFOLD_CACHE=/opt/stainfold STAINFOLD_VARIANT=cu130
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=install /opt/stainfold /opt/stainfold
COPY . .
COPY --from=install /app/node_modules node_modules
USER node
# Your program's command goes here.
CMD ["node_modules/.bin/stainfold", "doctor"]
