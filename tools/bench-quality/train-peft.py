"""Trains a LoRA adapter with PyTorch and PEFT on rows that llamatune encoded, and prints its measurements as JSON:

    python3 train-peft.py '{"base": "model-BF16.gguf", "rows": "rows.json", "output": "adapter", "seed": 1, "settings": {...}}'

Weights and autocast are bfloat16, the adapter is F32, the loss is the mean over the target tokens of a step, as in
llamatune. A step is computed in micro-batches of "microBatch" rows, each padded to its longest row.
"""

import json
import os
import random
import resource
import sys
import time

import peft
import torch
import transformers

options = json.loads(sys.argv[1])
settings, seed = options["settings"], options["seed"]
started = time.perf_counter()
torch.manual_seed(seed)
if settings["threads"] > 0:
    torch.set_num_threads(settings["threads"])
folder, name = os.path.split(os.path.abspath(options["base"]))
model = transformers.AutoModelForCausalLM.from_pretrained(
    folder, gguf_file=name, dtype=torch.bfloat16, attn_implementation="sdpa"
)
model.config.use_cache = False
model = peft.get_peft_model(
    model,
    peft.LoraConfig(
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        target_modules=options["modules"],
        task_type="CAUSAL_LM",
    ),
)
parameters = [p for p in model.parameters() if p.requires_grad]
for parameter in parameters:
    parameter.data = parameter.data.float()
with open(options["rows"]) as file:
    rows = json.load(file)


def loss_sum(batch):
    """The sum of the losses of the target tokens of these rows, and their number."""
    longest = max(len(row["tokens"]) for row in batch)
    padded = lambda values: values + [0] * (longest - len(values))
    ids = torch.tensor([padded(row["tokens"]) for row in batch])
    weights = torch.tensor([padded(row["weights"]) for row in batch])[:, 1:]
    mask = torch.tensor([padded([1] * len(row["tokens"])) for row in batch])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(input_ids=ids, attention_mask=mask).logits
    chosen = weights > 0
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1][chosen].float(), ids[:, 1:][chosen], reduction="sum"
    )
    return losses, int(chosen.sum())


def parts(batch):
    size = options["microBatch"]
    return [batch[i : i + size] for i in range(0, len(batch), size)]


def validation_loss():
    model.eval()
    with torch.no_grad():
        sums = [loss_sum(part) for part in parts(rows["validation"])]
    model.train()
    return float(sum(loss for loss, _ in sums)) / sum(count for _, count in sums)


base_loss = validation_loss()
optimizer = torch.optim.AdamW(parameters, lr=1.0, weight_decay=settings["weightDecay"])
shuffle = random.Random(seed)
losses, tokens, begun = [], 0, time.perf_counter()
model.train()
for epoch in range(settings["epochs"]):
    order = list(range(len(rows["train"])))
    shuffle.shuffle(order)
    for at in range(0, len(order), settings["batchSize"]):
        batch = [rows["train"][i] for i in order[at : at + settings["batchSize"]]]
        targets = sum(sum(weight > 0 for weight in row["weights"]) for row in batch)
        total = 0.0
        for part in parts(batch):
            loss, _ = loss_sum(part)
            (loss / targets).backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(parameters, settings["maxGradientNorm"])
        for group in optimizer.param_groups:
            group["lr"] = options["learningRates"][len(losses)]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(total / targets)
        tokens += sum(len(row["tokens"]) for row in batch)
seconds = time.perf_counter() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model.save_pretrained(options["output"])
print(
    json.dumps(
        {
            "losses": losses,
            "baseValidationLoss": base_loss,
            "validationLoss": validation_loss(),
            "steps": len(losses),
            "tokens": tokens,
            "tokensPerSecond": tokens / seconds,
            "trainingSeconds": seconds,
            "totalSeconds": time.perf_counter() - started,
            "peakMemoryBytes": peak if sys.platform == "darwin" else peak * 1024,
            "trainableParameters": sum(p.numel() for p in parameters),
            "versions": {m.__name__: m.__version__ for m in (torch, transformers, peft)},
        }
    )
)
