"""Measures LoRA training with PyTorch and PEFT in bf16, for comparison with llamatune on the same device.

    python3 peft-bench.py shapes.json '{"model": "qwen3-0.6b", "microBatch": 8, "sequence": 512, ...}' [results.json]
    python3 peft-bench.py --check device      whether that can run here, and if not, why

The model has random weights. It is trained as Transformers' Trainer does with bf16=True: weights in bf16, adapters in
F32, autocast, SDPA attention, fused AdamW. Prints a JSON object, and before it what is known earlier. With
"untilStandardInputCloses" it ends with the process that started it. With results.json, which run.sh writes, the object
also has the ratio of llamatune's speed to this one.
"""

import gc
import json
import math
import os
import sys
import threading
import time

try:
    import peft
    import torch
    import transformers

    missing = None
except Exception as error:  # not installed, or for another version of Python or CUDA
    missing = f"{type(error).__name__}: {error}"

MODULES = {
    "attn_q": "q_proj",
    "attn_k": "k_proj",
    "attn_v": "v_proj",
    "attn_output": "o_proj",
    "ffn_gate": "gate_proj",
    "ffn_up": "up_proj",
    "ffn_down": "down_proj",
}


def make_model(shape, device):
    kind = {"llama": "LlamaConfig", "qwen3": "Qwen3Config"}[shape["architecture"]]
    config = getattr(transformers, kind)(
        vocab_size=shape["vocabularySize"],
        max_position_embeddings=shape["contextLength"],
        hidden_size=shape["embeddingLength"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kvHeads"],
        head_dim=shape["headLength"],
        intermediate_size=shape["feedForwardLength"],
        tie_word_embeddings=shape["tieEmbeddings"],
        use_cache=False,
        attn_implementation="sdpa",
    )
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(config)
    torch.set_default_dtype(torch.float32)
    lora = peft.LoraConfig(
        r=shape["rank"],
        lora_alpha=2 * shape["rank"],
        target_modules=[MODULES[target] for target in shape["targets"]],
        task_type="CAUSAL_LM",
    )
    model = peft.get_peft_model(model, lora).to(device)
    model.train()
    return model


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def train(model, shape, spec, device):
    """Returns the milliseconds of each measured step, its tokens, and the seconds until the first step was done."""
    rows, sequence = spec["microBatch"], spec["sequence"]
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.01, fused=device == "cuda")
    batches = torch.randint(shape["vocabularySize"], (16, rows, sequence), device=device)
    times, first, started = [], None, time.perf_counter()
    while len(times) < spec["warmup"] + spec["steps"] or time.perf_counter() - measured < spec["seconds"]:
        if len(times) == spec["warmup"]:
            measured = time.perf_counter()
        start = time.perf_counter()
        ids = batches[len(times) % len(batches)]
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss = loss.item()
        synchronize(device)
        times.append((time.perf_counter() - start) * 1000)
        first = first or time.perf_counter() - started
    return times[spec["warmup"] :], rows * sequence, first, loss


def median(values):
    ordered = sorted(values)
    n = len(ordered)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def peak_tflops(device):
    """The speed of a large bf16 matrix product, in TFLOP/s."""
    n = 8192 if device == "cuda" else 1024
    a = torch.randn(n, n, device=device).bfloat16()
    b = torch.randn(n, n, device=device).bfloat16()
    times = []
    for _ in range(13):
        synchronize(device)
        start = time.perf_counter()
        a @ b
        synchronize(device)
        times.append(time.perf_counter() - start)
    return 2 * n**3 / median(times[3:]) / 1e12


def llamatune_row(path, spec):
    """llamatune's measurement of the same model and batch, or None."""
    with open(path) as file:
        parts = json.load(file)["parts"]
    keys = ("model", "microBatch", "sequence", "tokensPerSecond")
    for part in parts:
        row = part["result"] if part["name"].startswith("train ") else None
        if row and all(k in row and row[k] == spec.get(k, row[k]) for k in keys):
            return row
    return None


def peak_memory():
    """The peak resident memory of this process in bytes, or None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def end_with_parent():
    def wait():
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def check(device):
    """Whether this can measure the device: llamatune's name of it, or "cpu"."""
    if missing:
        return {"usable": False, "reason": missing}
    row = {"usable": True, "versions": versions()}
    if device == "cpu":
        return row
    try:
        row["gpu"] = torch.cuda.get_device_name(torch.zeros(1, device="cuda").device)
    except Exception as error:
        row.update(usable=False, reason=f"PyTorch cannot use a GPU: {error}")
    return row


def versions():
    return {m.__name__: m.__version__ for m in (torch, transformers, peft)}


def measure(shape, spec, device, checkpointing):
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    model = make_model(shape, device)
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    if spec.get("compile"):
        model = torch.compile(model)
    times, tokens, first, loss = train(model, shape, spec, device)
    ended = time.time() * 1000
    return {
        "model": spec["model"],
        "type": "BF16",
        "microBatch": spec["microBatch"],
        "sequence": spec["sequence"],
        "compile": bool(spec.get("compile")),
        "gradientCheckpointing": "on" if checkpointing else "off",
        "rank": shape["rank"],
        "steps": len(times),
        "tokensPerSecond": tokens / median(times) * 1000,
        "stepMs": median(times),
        "stepsMs": times,
        "endedAt": ended,
        "lastLoss": loss if math.isfinite(loss) else None,
        "startToFirstStepSeconds": first,
        "peakMemoryBytes": peak_memory(),
        "deviceMemoryBytes": torch.cuda.max_memory_reserved() if device == "cuda" else None,
        "versions": versions(),
    }


def report(row):
    print(json.dumps(row), flush=True)


def main():
    if sys.argv[1] == "--check":
        report(check(sys.argv[2]))
        return
    if missing:
        sys.exit(missing)
    with open(sys.argv[1]) as file:
        shapes = json.load(file)
    spec = {"warmup": 2, "steps": 3, "seconds": 10, **json.loads(sys.argv[2])}
    if spec.get("untilStandardInputCloses"):
        end_with_parent()
    if spec.get("threads"):
        torch.set_num_threads(spec["threads"])
    shape = shapes[spec["model"]]
    device = "cuda" if torch.cuda.is_available() and spec.get("device") != "cpu" else "cpu"
    row = None
    try:
        row = measure(shape, spec, device, checkpointing=False)
    except torch.cuda.OutOfMemoryError:
        pass  # the traceback holds the model, so the second try begins after this block
    if row is None:
        gc.collect()
        torch.cuda.empty_cache()
        row = measure(shape, spec, device, checkpointing=True)
    report(row)
    other = llamatune_row(sys.argv[3], spec) if len(sys.argv) > 3 else None
    if other:
        row["llamatuneTokensPerSecond"] = other["tokensPerSecond"]
        row["ratio"] = other["tokensPerSecond"] / row["tokensPerSecond"]
    report(row)
    row["peakTflops"] = peak_tflops(device)
    if other:
        row["llamatuneFractionOfPeak"] = other["achievedTflops"] / row["peakTflops"]
    report(row)


main()
