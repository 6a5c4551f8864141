#!/usr/bin/env bash
# Checks and measures llamatune on this machine's GPU, within nine minutes. docs/testing-devices.md explains the results.
# Writes results.json, complete after every part, and log.txt. A part that fails, hangs or runs out of time does not affect
# the others.
set -u -o pipefail

usage='usage: run.sh [--device cuda|vulkan|cpu] [--output folder] [--minutes n] [--dry-run]

  --device     default: cuda if there is an NVIDIA GPU, else vulkan
  --output     where results.json and log.txt are written; default: $OUT or ./results
  --minutes    limit for the whole run; default: 9
  --dry-run    only check that everything starts, with tiny models'

refuse() { printf 'run.sh: %s\n%s\n' "$1" "$usage" >&2; exit 2; }

device=auto
output=${OUT:-results}
minutes=9
dry_run=
while [ $# -gt 0 ]; do
  case $1 in
    --device | --output | --minutes)
      if [ -z "${2:-}" ] || [[ $2 == --* ]]; then refuse "$1 needs a value"; fi
      declare "${1#--}=$2"
      shift
      ;;
    --dry-run) dry_run=1 ;;
    -h | --help) printf '%s\n' "$usage"; exit 0 ;;
    *) refuse "unknown argument: $1" ;;
  esac
  shift
done
case $device in auto | cuda | vulkan | cpu) ;; *) refuse "expected --device cuda, vulkan or cpu but received $device" ;; esac
[[ $minutes =~ ^[0-9]{1,3}(\.[0-9]+)?$ ]] || refuse "expected --minutes to be a number but received $minutes"

kit=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$output" && output=$(cd "$output" && pwd) && log=$output/log.txt && : >"$log" || exit 1
end=$(awk -v minutes="$minutes" 'BEGIN { print int(minutes * 60) }') # on the clock of $SECONDS, which starts at 0

say() { printf '%s\n' "$*" | tee -a "$log"; }

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
  } >"$output/results.json.new" && mv "$output/results.json.new" "$output/results.json"
}

write_results # not those of an earlier run

# ---- temporary folders

# Models of up to 5 GB are written to memory if there is room.
scratch=${TMPDIR:-/tmp}
if [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)" -gt 16000000 ] 2>/dev/null && [ -w /dev/shm ]; then scratch=/dev/shm; fi
work=$(mktemp -d "$scratch/llamatune-kit.XXXXXX") || exit 1
programs=
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work" ${programs:+"$programs"}' EXIT

unpack() {
  if command -v xz >/dev/null; then xz -dc "$kit/programs.tar.xz" | tar -C "$programs" -xf -; return; fi
  python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$kit/programs.tar.xz" "$programs"
}

# Programs do not run from every folder: /dev/shm and /tmp may be mounted with noexec.
can_run_from() {
  programs=$(mktemp -d "$1/llamatune-programs.XXXXXX") || return 1
  printf '#!/bin/sh\n' >"$programs/try" && chmod +x "$programs/try" && "$programs/try" && return 0
  rm -rf "$programs"
  programs=
  return 1
}
for folder in "${TMPDIR:-/tmp}" /var/tmp "${HOME:-/root}" "$output"; do
  if can_run_from "$folder" 2>>"$log"; then break; fi
done
if [ -z "$programs" ]; then say "no temporary folder in which programs may run: set TMPDIR"; exit 1; fi
if ! unpack 2>>"$log"; then say "programs.tar.xz could not be unpacked: see log.txt (xz or python3 is needed)"; exit 1; fi

bench=$programs/bin/llamatune-gpu-bench
tests=$programs/bin/llamatune-native-tests
python=$(command -v python3 || true)
# PyTorch finds its own libraries, and not those that are added for llamatune below.
with_own_libraries=(env -u LD_LIBRARY_PATH ${LD_LIBRARY_PATH:+"LD_LIBRARY_PATH=$LD_LIBRARY_PATH"})
export LLAMATUNE_TEST_CACHE=$work/tests LLAMATUNE_TEST_SOURCE_DIR=$kit
# PyTorch must not wait for a network, and must leave nothing behind.
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TORCHINDUCTOR_CACHE_DIR=$programs/inductor TRITON_CACHE_DIR=$programs/triton

# ---- parts, each with a time limit and an entry in results.json

# ASCII only, since a cut line may end within a character.
json_text() { printf '%s' "$1" | LC_ALL=C tr '\t' ' ' | LC_ALL=C tr -cd '\n\040-\176' | sed 's/\\/\\\\/g; s/"/\\"/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'; }

# The result of a part from its output: its last line of JSON, or the counts and the failures of the tests that have run.
result_of() {
  local last counts
  last=$(grep -aE '^\{".*\}$' "$1" | tail -1)
  if [ -n "$last" ]; then printf '%s' "$last"; return; fi
  counts=$(awk '/^ok / { ok++ } /^FAILED / { failed++ } /^skipped / { skipped++ }
    /^[0-9]+ tests$/ { tests = $1 }
    END { if (tests) printf "\"tests\": %d, \"passed\": %d, \"failed\": %d, \"skipped\": %d", tests, ok, failed, skipped }' "$1")
  if [ -z "$counts" ]; then printf 'null'; return; fi
  printf '{%s, "failures": "%s"}' "$counts" "$(json_text "$(grep -aE -A3 '^(FAILED|again) ' "$1" | cut -c1-500 | head -60)")"
}

# record NAME EXIT SECONDS RESULT [LOG]
record() {
  results+=("{\"name\": \"$1\", \"exit\": $2, \"seconds\": $3, \"result\": $4${5:+, \"log\": \"$(json_text "$5")\"}}")
  write_results
}

show() {
  local line
  while IFS= read -r line; do printf '%s\n' "${line:0:600}"; done
}

trap 'say "interrupted"; exit 130' INT TERM HUP

# part NAME LIMIT COMMAND…: runs a command for at most LIMIT seconds, and not beyond the end of the run. Its output goes to a
# file and not to a pipe, so that a process that cannot be ended does not hold up the run.
part() {
  local title=$1 limit=$2 started=$SECONDS left=$((end - SECONDS - 5)) status running shown
  shift 2
  if [ "$left" -lt 5 ]; then
    say "── $title: skipped, no time left"
    record "$title" null 0 null "no time left"
    return 1
  fi
  if [ "$limit" -gt "$left" ]; then limit=$left; fi
  say "── $title (at most $limit s)"
  : >"$work/output"
  timeout --kill-after=5 "$limit" "$@" >>"$work/output" 2>&1 </dev/null &
  running=$!
  timeout $((limit + 6)) tail -n +1 -s 0.2 -f --pid="$running" "$work/output" | show | tee -a "$log" &
  shown=$!
  wait "$running"
  status=$?
  wait "$shown"
  say "── $title: exit $status after $((SECONDS - started)) s"
  local why=
  if [ "$status" -ne 0 ]; then
    failures=$((failures + 1))
    why=$(tail -n 20 "$work/output" | cut -c1-300)
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then why="ended after $limit s"$'\n'$why; fi
  fi
  record "$title" "$status" $((SECONDS - started)) "$(result_of "$work/output")" "$why"
  return "$status"
}

# ---- the libraries that the back ends load

add_library_folder() { export LD_LIBRARY_PATH=$1${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; }

python_library_folders() {
  [ -n "$python" ] && timeout 20 "$python" -c '
import glob, os, sys
for folder in sys.path:
    for found in glob.glob(os.path.join(folder, "nvidia", "*", "lib")): print(found)' 2>/dev/null
}

has_library() { [[ $(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null) == *"$1"* ]]; }

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

# has_device NAME: whether the loaded back end finds the device.
has_device() { [[ $(timeout --kill-after=5 30 "$bench" devices 2>>"$log" </dev/null) == *"\"$1\""* ]]; }

# The driver of an older CUDA works with the compatibility libraries of a newer toolkit.
find_compatible_driver() {
  local folder
  for folder in /usr/local/cuda*/compat; do
    [ -e "$folder/libcuda.so.1" ] || continue
    if LD_LIBRARY_PATH=$folder:${LD_LIBRARY_PATH:-} has_device CUDA0; then add_library_folder "$folder"; return 0; fi
  done
  return 1
}

# Loads a GPU back end in all later programs, in addition to the CPU. If that fails, the reason is a part of the results.
use_backend() {
  unset GGML_BACKEND_PATH LLAMATUNE_TEST_DEVICE
  bench_device=cpu
  local name library=$programs/$1/libggml-$1.so
  case $1 in
    cuda) name=CUDA0; find_cublas ;;
    vulkan) name=Vulkan0; find_vulkan ;;
    cpu) return 0 ;;
  esac
  if [ ! -e "$library" ]; then no_backend "$1" "this kit was built without $1"; return 1; fi
  export GGML_BACKEND_PATH=$library
  if ! has_device "$name" && ! { [ "$1" = cuda ] && find_compatible_driver; }; then no_device "$1" "$library"; return 1; fi
  export LLAMATUNE_TEST_DEVICE=$name
  bench_device=$name
}

no_backend() {
  say "$1: $2"
  record "$1" 1 0 "{\"problem\": \"$(json_text "$2")\"}"
}

no_device() {
  unset GGML_BACKEND_PATH
  local missing problem="no device was found"
  missing=$(LD_LIBRARY_PATH=$programs/bin:${LD_LIBRARY_PATH:-} ldd "$2" | sed -n 's/^\t*\(.*\) => not found/\1/p' | tr '\n' ' ')
  if [ -n "$missing" ]; then problem="$problem; missing libraries: $missing"; fi
  if [[ $missing == *cublas* ]]; then problem="$problem; install CUDA 13 or PyTorch for CUDA 13, or set CUDA_HOME"; fi
  no_backend "$1" "$problem"$'\n'"$(tail -n 5 "$log")"
}

# ---- the kinds of parts

# run_tests COUNT LIMIT NAME…: runs the tests in processes of COUNT tests, of at most LIMIT seconds each. A fault on a GPU makes
# all later tests of a process fail, and a hang keeps them from running, so these run once more, each in a process of its own.
run_tests() {
  local count=$1 limit=$2 name i
  shift 2
  local names again=()
  mapfile -t names < <("$tests" --list "$@")
  printf '%d tests\n' "${#names[@]}"
  if [ "${#names[@]}" -eq 0 ]; then printf 'FAILED  no tests\n'; return 1; fi
  for ((i = 0; i < ${#names[@]}; i += count)); do
    timeout --foreground --kill-after=5 "$limit" "$tests" "${names[@]:i:count}" 2>&1 | tee "$work/tests.log" |
      sed -u -E 's/^FAILED /again  /; /^[0-9]+ passed, [0-9]+ failed/d'
    for name in "${names[@]:i:count}"; do
      if ! sed -nE 's/^(ok|skipped) +//p' "$work/tests.log" | grep -qaF "$name ("; then again+=("$name"); fi
    done
  done
  local failed=0
  for name in "${again[@]}"; do
    timeout --foreground --kill-after=5 "$limit" "$tests" "$name" >"$work/tests.log" 2>&1
    local status=$?
    sed -E '/^[0-9]+ passed, [0-9]+ failed/d' "$work/tests.log"
    if [ "$status" -eq 0 ]; then continue; fi
    failed=1
    if ! grep -qa '^FAILED ' "$work/tests.log"; then printf 'FAILED  %s: exit %d\n' "$name" "$status"; fi
  done
  return "$failed"
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

# Whether PEFT can be measured on the device; if not, the reason is in the results.
has_peft=
find_peft() {
  if [ -z "$python" ]; then
    record peft 0 0 '{"usable": false, "reason": "python3 was not found"}'
  else
    part peft 90 "${with_own_libraries[@]}" "$python" "$kit/peft-bench.py" --check "$bench_device"
  fi
  if [[ ${results[-1]} == *'"usable": true'* ]]; then has_peft=1; fi
}

peft() {
  if [ -z "$has_peft" ]; then return; fi
  local options
  options=$(printf '{"device": "%s", "model": "%s", "microBatch": %d, "sequence": %d, %s}' "$bench_device" "$3" "$4" "$5" "$6")
  part "peft $1" "$2" "${with_own_libraries[@]}" "$python" "$kit/peft-bench.py" "$kit/shapes.json" "$options" "$output/results.json"
}

# arch_models PATTERN: makes tiny models of the architectures whose names match.
arch_models() {
  local made=$work/arch-models to=$LLAMATUNE_TEST_CACHE/arch-models name status=0
  mkdir -p "$made" "$to"
  timeout --foreground --kill-after=5 45 "$programs/bin/make-arch-models" -s 42 -a "$1" -o "$made" >"$work/arch-models.log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then tail -20 "$work/arch-models.log"; fi
  for name in "$made"/*.gguf; do
    if [ -e "$name" ]; then mv "$name" "$to/$(basename "${name/-dense.gguf/.gguf}")"; fi
  done
  printf '{"models": %d}\n' "$(ls "$to" | wc -l)"
  return "$status"
}

describe_device() {
  local gpu=
  if command -v nvidia-smi >/dev/null; then
    gpu=$(timeout --foreground 10 nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap,clocks.max.sm,power.limit --format=csv,noheader)
  fi
  printf '{"kit": "%s", "system": "%s", "gpu": "%s", "devices": %s}\n' "$(cat "$kit/version")" "$(uname -srm)" \
    "$(json_text "$gpu")" "$("$bench" devices)"
}

# ---- what runs, the most important first

correctness() {
  local exact=
  if [ "$1" = vulkan ]; then exact='env GGML_VK_DISABLE_F16=1'; fi # F32 products, so that every difference is an error
  part "gradient rules on $1" 90 $exact bash -c 'run_tests 40 30 autodiff/rules autodiff/frozen'
  part "whole models on $1" 120 bash -c 'run_tests 4 60 device/'
}

measure_tiny() {
  part "device" 30 bash -c describe_device
  part "models of one architecture" 60 bash -c 'arch_models "^llama$"'
  part "gradient rules on $device" 60 bash -c 'run_tests 2 30 "autodiff/rules: SCALE" "graph: packed"'
  find_peft
  train "tiny 2x64" 120 tiny 2 64 '"type": "Q8_0", "steps": 1, "warmup": 1, "seconds": 0'
  peft "tiny 2x64" 120 tiny 2 64 '"steps": 1, "warmup": 1, "seconds": 0'
  profile "tiny 2x64" 60 tiny 2 64 '"type": "Q8_0", "steps": 1, "warmup": 0'
  generate "tiny" 60 tiny '"type": "Q4_0", "steps": 1, "promptTokens": 16, "generatedTokens": 4'
}

measure_all() {
  local small='"type": "Q8_0", "seconds": 8' large='"type": "Q4_K_M", "seconds": 12'
  # Reads PyTorch's files, which takes long for the first time, while the GPU is busy with tests.
  if [ -n "$python" ]; then timeout --kill-after=5 120 "$python" "$kit/peft-bench.py" --check cpu >/dev/null 2>&1 </dev/null & fi
  part "device" 30 bash -c describe_device
  part "models of all architectures" 60 bash -c 'arch_models "."'
  correctness "$device"
  train "0.6B 8x512" 60 qwen3-0.6b 8 512 "$small"
  find_peft
  peft "0.6B 8x512" 60 qwen3-0.6b 8 512 '"seconds": 8'
  train "8B 4x512" 90 llama3.1-8b 4 512 "$large"
  peft "8B 4x512" 90 llama3.1-8b 4 512 '"seconds": 12'
  train "0.6B 1x512" 40 qwen3-0.6b 1 512 "$small"
  train "0.6B 4x2048" 60 qwen3-0.6b 4 2048 "$small"
  profile "0.6B 8x512" 40 qwen3-0.6b 8 512 '"type": "Q8_0", "steps": 2, "warmup": 1'
  profile "8B 4x512" 40 llama3.1-8b 4 512 '"type": "Q4_K_M", "steps": 1, "warmup": 1'
  generate "0.6B" 30 qwen3-0.6b '"type": "Q8_0", "steps": 3'
  generate "8B" 40 llama3.1-8b '"type": "Q4_K_M", "steps": 3'
  peft "0.6B 1x512" 60 qwen3-0.6b 1 512 '"seconds": 8'
  peft "0.6B 4x2048" 60 qwen3-0.6b 4 2048 '"seconds": 8'
  peft "0.6B 8x512 compiled" 110 qwen3-0.6b 8 512 '"seconds": 8, "compile": true'
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

export -f describe_device arch_models run_tests json_text # `timeout` starts programs, so these run in their own shell
export kit programs work bench tests

has_nvidia() { [ -e /dev/nvidiactl ] || command -v nvidia-smi >/dev/null; }

start() {
  if [ "$device" != auto ]; then use_backend "$device"; return; fi
  device=cuda
  if has_nvidia && use_backend cuda; then return 0; fi
  device=vulkan
  use_backend vulkan
}

if ! start; then
  say "nothing was measured: $device cannot be used here"
  exit 1
fi
if [ -n "$dry_run" ]; then measure_tiny; else measure_all; fi
say ""
summary
say "$SECONDS s; $output/results.json and log.txt"
[ "$failures" -eq 0 ]
