"""Tiny random models with LoRA adapters, and their logits in Transformers: what llamatune's conversion must agree with.

    pip install torch transformers peft safetensors
    python3 tools/peft/fixtures.py make <llama.cpp> test/integration/peft
    node tools/peft/export.mjs test/integration/peft <folder>
    python3 tools/peft/fixtures.py check test/integration/peft <folder>

<llama.cpp> is a checkout of the commit in vendor/llama.cpp.json with gguf-py/ and conversion/.

`make` writes a folder per model: model.gguf (converted by llama.cpp), the adapter that PEFT saved, and logits.json. The
integration test adapter-files.test.ts imports these adapters and compares. `check` is the other direction: export.mjs trains
adapters with llamatune, exports them and writes its own log-probabilities; `check` loads the exported adapters with PEFT and
compares. It fails if the difference is more than 1e-4.
"""

import json
import pathlib
import sys
import tempfile

import peft
import torch
import transformers

VOCABULARY = 64
TOKENS = [3, 41, 7, 60, 22, 13, 58, 1, 35, 9]
COMMON = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64,
    "initializer_range": 0.3, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MLP = ["gate_proj", "up_proj", "down_proj"]

# Name: class, sizes that differ, adapter.
MODELS = {
    "llama": (
        "LlamaForCausalLM",
        {"tie_word_embeddings": False},
        # ranks and alphas that differ between modules
        {
            "r": 4, "lora_alpha": 8, "target_modules": [*ATTENTION, *MLP, "lm_head"],
            "rank_pattern": {"k_proj": 2}, "alpha_pattern": {"k_proj": 3, "layers.1.self_attn.q_proj": 5},
        },
    ),
    "qwen3": (
        "Qwen3ForCausalLM",
        {"tie_word_embeddings": True},
        {"r": 4, "lora_alpha": 6, "use_rslora": True, "target_modules": ["q_proj", "v_proj", "down_proj"]},
    ),
    "gemma3": (
        "Gemma3ForCausalLM",
        {"tie_word_embeddings": True, "query_pre_attn_scalar": 8, "sliding_window": 4},
        {"r": 3, "lora_alpha": 7, "target_modules": [*ATTENTION, *MLP]},
    ),
    "qwen3moe": (
        "Qwen3MoeForCausalLM",
        {
            "tie_word_embeddings": False, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
            "norm_topk_prob": True,
        },
        {
            "r": 2, "lora_alpha": 5, "target_modules": ATTENTION,
            "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj", "mlp.gate.weight"],
        },
    ),
    "falcon": (
        "FalconForCausalLM",
        {
            "tie_word_embeddings": False, "new_decoder_architecture": True, "num_kv_heads": 2, "head_dim": None,
            "activation": "gelu_pytorch_tanh",  # as llama.cpp approximates it
        },
        {"r": 3, "lora_alpha": 4, "target_modules": ["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"]},
    ),
    "llama4": (
        "Llama4ForCausalLM",
        {
            "tie_word_embeddings": False, "num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 16,
            "intermediate_size_mlp": 48, "interleave_moe_layer_step": 2,
        },
        {
            "r": 2, "lora_alpha": 5, "target_modules": ATTENTION,
            "target_parameters": [
                "feed_forward.experts.gate_up_proj", "feed_forward.experts.down_proj", "feed_forward.router.weight",
            ],
        },
    ),
    "qwen35": (
        "Qwen3_5ForCausalLM",
        {
            "tie_word_embeddings": False, "layer_types": ["linear_attention", "full_attention"],
            "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
            "head_dim": 16,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5,
                "mrope_section": [2, 1, 1], "mrope_interleaved": True,
            },
        },
        {
            "r": 3, "lora_alpha": 5,
            "target_modules": [*ATTENTION, *MLP, "in_proj_qkv", "in_proj_z", "in_proj_a", "in_proj_b", "out_proj"],
        },
    ),
    "bitnet": (
        "BitNetForCausalLM",
        {"tie_word_embeddings": True, "hidden_act": "silu"},  # llama.cpp always uses SiLU
        {"r": 4, "lora_alpha": 6, "target_modules": [*ATTENTION, *MLP]},
    ),
}  # fmt: skip


def make_model(name):
    model_class, sizes, _ = MODELS[name]
    config_class = getattr(transformers, model_class).config_class
    given = {key: value for key, value in {**COMMON, **sizes}.items() if value is not None}
    torch.manual_seed(17)
    model = getattr(transformers, model_class)(config_class(**given)).eval()
    if name == "bitnet":
        for key, weight in model.named_parameters():
            if key.endswith("_proj.weight"):  # a scale and signs, so that rounding by the conversion changes nothing
                weight.data = weight.abs().mean() * weight.sign()
    return model


def logits_of(model):
    """After the last token."""
    with torch.no_grad():
        return model(torch.tensor([TOKENS])).logits[0, -1].float()


def write_gguf(source, model, folder, path):
    """Converts the model with llama.cpp; the tokens are named t0, t1, …"""
    sys.path[:0] = [str(source), str(source / "gguf-py")]
    import conversion
    import gguf

    base = conversion.get_model_class(type(model).__name__)

    class Converter(base):
        model_arch = base.model_arch
        no_mtp = True  # layers that predict further tokens are not part of these models

        def set_vocab(self):
            writer = self.gguf_writer
            writer.add_tokenizer_model("gpt2")
            writer.add_tokenizer_pre("default")
            writer.add_token_list([f"t{i}" for i in range(VOCABULARY)])
            writer.add_token_types([1] * VOCABULARY)
            writer.add_token_merges(["t 0"])
            writer.add_bos_token_id(1)
            writer.add_eos_token_id(2)
            writer.add_add_bos_token(False)

        def modify_tensors(self, data_torch, name, bid):
            # llama.cpp knows the norms of BitNet by the names of its first implementation.
            name = name.replace("attn_sub_norm", "inner_attn_ln").replace("ffn_sub_norm", "ffn_layernorm")
            yield from super().modify_tensors(data_torch, name, bid)

    model.save_pretrained(folder)
    vocabulary = {f"t{i}": i for i in range(VOCABULARY)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))
    Converter(folder, gguf.LlamaFileType.ALL_F32, path, model_name=f"tiny-{path.parent.name}").write()


def make(source, output):
    for name, (_, _, lora) in MODELS.items():
        folder = output / name
        folder.mkdir(parents=True, exist_ok=True)
        model = make_model(name)
        base = logits_of(model)
        with tempfile.TemporaryDirectory() as temporary:
            write_gguf(source, model, pathlib.Path(temporary), folder / "model.gguf")
        adapted = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **lora)).eval()
        generator = torch.Generator().manual_seed(23)
        for key, parameter in sorted(adapted.named_parameters()):
            if "lora_" in key:
                parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
        adapted.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        logits = {"tokens": TOKENS, "base": base.tolist(), "adapted": logits_of(adapted).tolist()}
        (folder / "logits.json").write_text(json.dumps(logits) + "\n")
        print(f"{name}: the adapter changes logits by up to {(logits_of(adapted) - base).abs().max():.2f}")


def check(output, exported):
    worst = 0
    for name in MODELS:
        model = make_model(name)
        recorded = torch.tensor(json.loads((output / name / "logits.json").read_text())["base"])
        assert torch.allclose(logits_of(model), recorded, atol=1e-5), f"{name}: another model than the recorded one"
        ours = torch.tensor(json.loads((exported / name / "log-probabilities.json").read_text()))
        adapted = peft.PeftModel.from_pretrained(model, exported / name)
        unused = [key for key, value in adapted.named_parameters() if "lora_B" in key and not value.any()]
        assert not unused, f"{name}: PEFT did not load {unused}"
        theirs = torch.log_softmax(logits_of(adapted), 0)
        change = (theirs - torch.log_softmax(recorded, 0)).abs().max()
        difference = (theirs - ours).abs().max().item()
        print(f"{name}: the adapter changes log-probabilities by up to {change:.2f}, the difference is {difference:.1e}")
        worst = max(worst, difference)
    sys.exit(0 if worst <= 1e-4 else 1)


if __name__ == "__main__":
    action, first, second = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
    {"make": make, "check": check}[action](first, second)
