#!/usr/bin/env bash
# Checks and measures llamatune on this machine's GPU, within nine minutes. docs/testing-devices.md explains the results.
#
#   run.sh [--device cuda|vulkan|cpu] [--output folder] [--minutes n] [--dry-run]
#
# Without --device: cuda if there is an NVIDIA GPU, else vulkan. --dry-run: only that everything starts, with tiny models.
# Writes results.json, complete after every part, and log.txt to the folder, by default $OUT or ./results.
set -u -o pipefail

kit=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
device=auto
output=${OUT:-results}
minutes=9
dry_run=
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=$2; shift ;;
    --output) output=$2; shift ;;
    --minutes) minutes=$2; shift ;;
    --dry-run) dry_run=1 ;;
    *) echo "usage: run.sh [--device cuda|vulkan|cpu] [--output folder] [--minutes n] [--dry-run]" >&2; exit 2 ;;
  esac
  shift
done

mkdir -p "$output" || exit 1
output=$(cd "$output" && pwd)
log=$output/log.txt
: >"$log"
end=$((SECONDS + minutes * 60))

# Models of up to 5 GB are written to memory if there is room.
scratch=${TMPDIR:-/tmp}
if [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)" -gt 16000000 ] 2>/dev/null; then scratch=/dev/shm; fi
work=$(mktemp -d "$scratch/llamatune-kit.XXXXXX") || exit 1
programs=$(mktemp -d "${TMPDIR:-/tmp}/llamatune-programs.XXXXXX") || exit 1 # programs may not run from /dev/shm
trap 'rm -rf "$work" "$programs"' EXIT

export LLAMATUNE_TEST_CACHE=$work/tests LLAMATUNE_TEST_SOURCE_DIR=$kit
bench=$programs/bin/llamatune-gpu-bench
tests=$programs/bin/llamatune-native-tests
python=$(command -v python3 || true)

say() { printf '%s\n' "$*" | tee -a "$log"; }

unpack() {
  if command -v xz >/dev/null; then xz -dc "$kit/programs.tar.xz" | tar -C "$programs" -xf -; return; fi
  "${python:-python3}" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' \
    "$kit/programs.tar.xz" "$programs"
}
if ! unpack; then say "programs.tar.xz could not be unpacked: install xz or python3"; exit 1; fi

# ---- the libraries that the back ends load

add_library_folder() { export LD_LIBRARY_PATH=$1${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; }

python_library_folders() {
  [ -n "$python" ] && "$python" -c '
import glob, os, sys
for folder in sys.path:
    for found in glob.glob(os.path.join(folder, "nvidia", "*", "lib")): print(found)' 2>/dev/null
}

has_library() { [[ $(ldconfig -p 2>/dev/null) == *"$1"* ]]; }

# cuBLAS comes with the CUDA toolkit and with PyTorch.
find_cublas() {
  if [ -e /usr/local/nvidia/lib64/libcuda.so.1 ]; then add_library_folder /usr/local/nvidia/lib64; fi
  if has_library libcublas.so.13; then return; fi
  local folder
  for folder in "${CUDA_HOME:-/none}"/lib* "${CUDA_PATH:-/none}"/lib* /usr/local/cuda*/lib64 \
    /usr/local/cuda*/targets/*/lib /opt/cuda/lib64 $(python_library_folders); do
    if [ -e "$folder/libcublas.so.13" ]; then add_library_folder "$folder"; return; fi
  done
}

find_vulkan() {
  if ! has_library libvulkan.so.1; then add_library_folder "$programs/vulkan-loader"; fi
  local drivers=/usr/local/nvidia/share/vulkan/icd.d
  if [ -z "${VK_DRIVER_FILES:-}" ] && [ -e $drivers/nvidia_icd.json ]; then
    export VK_DRIVER_FILES=$drivers/nvidia_icd.json
  fi
}

# Loads a GPU back end in all later programs, in addition to the CPU.
use_backend() {
  unset GGML_BACKEND_PATH LLAMATUNE_TEST_DEVICE
  bench_device=cpu
  local name
  case $1 in
    cuda) name=CUDA0; find_cublas ;;
    vulkan) name=Vulkan0; find_vulkan ;;
    cpu) return 0 ;;
    *) say "unknown device: $1"; return 1 ;;
  esac
  local library=$programs/$1/libggml-$1.so
  if [ ! -e "$library" ]; then say "this kit was built without $1"; return 1; fi
  export GGML_BACKEND_PATH=$library
  if [[ $("$bench" devices 2>>"$log") == *"\"$name\""* ]]; then
    export LLAMATUNE_TEST_DEVICE=$name
    bench_device=$name
    return 0
  fi
  unset GGML_BACKEND_PATH
  local missing
  missing=$(LD_LIBRARY_PATH=$programs/bin:${LD_LIBRARY_PATH:-} ldd "$library" | sed -n 's/^\t*\(.*\) => not found/\1/p' | tr '\n' ' ')
  say "$1: no device was found${missing:+; missing libraries: $missing}"
  if [[ $missing == *cublas* ]]; then say "install CUDA 13 or PyTorch for CUDA 13, or set CUDA_HOME"; fi
  return 1
}

# ---- parts, each with a time limit and an entry in results.json

results=()
failures=0

write_results() {
  {
    printf '{"device": "%s", "dryRun": %s, "seconds": %d, "parts": [\n' "$device" "$([ -n "$dry_run" ] && echo true || echo false)" "$SECONDS"
    local i
    for i in "${!results[@]}"; do
      [ "$i" -gt 0 ] && printf ',\n'
      printf '%s' "${results[$i]}"
    done
    printf '\n]}\n'
  } >"$output/results.json"
}

json_text() { printf '%s' "$1" | tr -d '\000-\010\013-\037' | sed 's/\\/\\\\/g; s/"/\\"/g; s/\t/ /g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'; }

# The result of a part from its output: its last line of JSON, or the counts and the failures of the tests.
result_of() {
  local last
  last=$(grep -E '^[{[]' "$1" | tail -1)
  if [ -n "$last" ]; then printf '%s' "$last"; return; fi
  last=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$1" | tail -1)
  if [ -n "$last" ]; then
    printf '{"passed": %d, "failed": %d, "skipped": %d, "failures": "%s"}' $(printf '%s' "$last" | tr -dc '0-9 ') \
      "$(json_text "$(grep -A3 '^FAILED' "$1" | cut -c1-500 | head -60)")"
    return
  fi
  printf 'null'
}

show() {
  local line
  while IFS= read -r line; do printf '%s\n' "${line:0:600}"; done
}

# part NAME LIMIT COMMAND…: runs a command for at most LIMIT seconds, and not beyond the end of the run.
part() {
  local title=$1 limit=$2 started=$SECONDS left=$((end - SECONDS))
  shift 2
  if [ "$left" -lt 10 ]; then
    say "── $title: skipped, no time left"
    results+=("{\"name\": \"$title\", \"exit\": null, \"seconds\": 0, \"result\": null}")
    write_results
    return 1
  fi
  if [ "$limit" -gt "$left" ]; then limit=$left; fi
  say "── $title (at most $limit s)"
  timeout --kill-after=5 "$limit" "$@" 2>&1 | tee "$work/output" | show | tee -a "$log"
  local status=${PIPESTATUS[0]}
  say "── $title: exit $status after $((SECONDS - started)) s"
  if [ "$status" -ne 0 ]; then failures=$((failures + 1)); fi
  results+=("{\"name\": \"$title\", \"exit\": $status, \"seconds\": $((SECONDS - started)), \"result\": $(result_of "$work/output")}")
  write_results
  return "$status"
}

# spec MODEL ROWS SEQUENCE [MORE]: the options of a benchmark as JSON.
spec() {
  printf '{"folder": "%s", "device": "%s", "model": "%s", "microBatch": %d, "sequence": %d%s}' \
    "$work" "$bench_device" "$1" "$2" "$3" "${4:+, $4}"
}

# train TITLE LIMIT MODEL ROWS SEQUENCE MORE
train() { part "train $1" "$2" "$bench" train "$kit/shapes.json" "$(spec "$3" "$4" "$5" "$6")"; }
profile() { part "profile $1" "$2" "$bench" train "$kit/shapes.json" "$(spec "$3" "$4" "$5" "$6, \"profile\": true")"; }
generate() { part "generate $1" "$2" "$bench" generate "$kit/shapes.json" "$(spec "$3" 1 1 "$4")"; }

has_peft() { [ -n "$python" ] && "$python" -c 'import torch, transformers, peft' 2>/dev/null; }

peft() {
  local options
  options=$(printf '{"device": "%s", "model": "%s", "microBatch": %d, "sequence": %d, %s}' "$bench_device" "$3" "$4" "$5" "$6")
  part "peft $1" "$2" "$python" "$kit/peft-bench.py" "$kit/shapes.json" "$options" "$output/results.json"
}

# arch_models PATTERN: makes tiny models of the architectures whose names match.
arch_models() {
  local made=$work/arch-models name
  mkdir -p "$made" "$LLAMATUNE_TEST_CACHE/arch-models"
  "$programs/bin/make-arch-models" -s 42 -a "$1" -o "$made" >"$work/arch-models.log" 2>&1 || { tail -20 "$work/arch-models.log"; return 1; }
  for name in "$made"/*.gguf; do
    mv "$name" "$LLAMATUNE_TEST_CACHE/arch-models/$(basename "${name/-dense.gguf/.gguf}")"
  done
  printf '{"models": %d}\n' "$(ls "$LLAMATUNE_TEST_CACHE/arch-models" | wc -l)"
}

describe_device() {
  local gpu=
  if command -v nvidia-smi >/dev/null; then
    gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap,clocks.max.sm,power.limit --format=csv,noheader)
  fi
  printf '{"kit": "%s", "system": "%s", "gpu": "%s", "devices": %s}\n' "$(cat "$kit/version")" "$(uname -srm)" \
    "$(printf '%s' "$gpu" | tr '\n"' ';_')" "$("$bench" devices)"
}

# ---- what runs, the most important first

correctness() {
  local exact=
  if [ "$1" = vulkan ]; then exact='env GGML_VK_DISABLE_F16=1'; fi # F32 products, so that every difference is an error
  part "gradient rules on $1" 90 $exact "$tests" autodiff/rules autodiff/frozen
  part "whole models on $1" 120 "$tests" device/
}

measure_tiny() {
  part "device" 30 bash -c describe_device
  part "models of one architecture" 60 bash -c 'arch_models "^llama$"'
  part "gradient rules on $device" 60 "$tests" "autodiff/rules: SCALE" "graph: packed"
  train "tiny 2x64" 120 tiny 2 64 '"type": "Q8_0", "steps": 1, "warmup": 1, "seconds": 0'
  if has_peft; then peft "tiny 2x64" 120 tiny 2 64 '"steps": 1, "warmup": 1, "seconds": 0'; fi
  profile "tiny 2x64" 60 tiny 2 64 '"type": "Q8_0", "steps": 1, "warmup": 0'
  generate "tiny" 60 tiny '"type": "Q4_0", "steps": 1, "promptTokens": 16, "generatedTokens": 4'
}

measure_all() {
  local small='"type": "Q8_0", "seconds": 8' large='"type": "Q4_K_M", "seconds": 12'
  part "device" 30 bash -c describe_device
  part "models of all architectures" 60 bash -c 'arch_models "."'
  correctness "$device"
  train "0.6B 8x512" 60 qwen3-0.6b 8 512 "$small"
  train "0.6B 1x512" 40 qwen3-0.6b 1 512 "$small"
  train "0.6B 4x2048" 60 qwen3-0.6b 4 2048 "$small"
  local with_peft=
  if has_peft; then with_peft=1; else say "PyTorch, transformers or PEFT is missing: no comparison"; fi
  if [ -n "$with_peft" ]; then
    peft "0.6B 8x512" 60 qwen3-0.6b 8 512 '"seconds": 8'
    peft "0.6B 1x512" 60 qwen3-0.6b 1 512 '"seconds": 8'
    peft "0.6B 4x2048" 60 qwen3-0.6b 4 2048 '"seconds": 8'
  fi
  train "8B 4x512" 90 llama3.1-8b 4 512 "$large"
  if [ -n "$with_peft" ]; then peft "8B 4x512" 90 llama3.1-8b 4 512 '"seconds": 12'; fi
  profile "0.6B 8x512" 40 qwen3-0.6b 8 512 '"type": "Q8_0", "steps": 2, "warmup": 1'
  profile "8B 4x512" 40 llama3.1-8b 4 512 '"type": "Q4_K_M", "steps": 1, "warmup": 1'
  generate "0.6B" 30 qwen3-0.6b '"type": "Q8_0", "steps": 3'
  generate "8B" 40 llama3.1-8b '"type": "Q4_K_M", "steps": 3'
  if [ -n "$with_peft" ]; then peft "0.6B 8x512 compiled" 110 qwen3-0.6b 8 512 '"seconds": 8, "compile": true'; fi
  if [ "$device" = cuda ] && use_backend vulkan; then correctness vulkan; fi
}

# One line for each part: its name, its exit status and its most important numbers.
summary() {
  local result key value line
  for result in "${results[@]}"; do
    line=
    for key in passed failed tokensPerSecond ratio fractionOfPeak llamatuneFractionOfPeak deviceMemoryBytes \
      promptTokensPerSecond generatedTokensPerSecond; do
      value=$(printf '%s' "$result" | grep -oE "\"$key\": ?[-+0-9.e]+" | head -1 | grep -oE '[-+0-9.e]+$')
      if [ -n "$value" ]; then line="$line  $key $value"; fi
    done
    say "$(printf '%s' "$result" | sed -E 's/^\{"name": "([^"]*)", "exit": ([a-z0-9]*),.*/\1: exit \2/' | head -1)$line"
  done
}

export -f describe_device arch_models # `timeout` starts programs, so these run in a shell of their own
export kit programs work bench

if [ "$device" = auto ]; then
  device=vulkan
  if [ -e /dev/nvidiactl ] || command -v nvidia-smi >/dev/null; then device=cuda; fi
fi
if ! use_backend "$device"; then
  say "nothing was measured: $device cannot be used here"
  exit 1
fi
if [ -n "$dry_run" ]; then measure_tiny; else measure_all; fi
say ""
summary
say "$SECONDS s; $output/results.json and log.txt"
[ "$failures" -eq 0 ]
