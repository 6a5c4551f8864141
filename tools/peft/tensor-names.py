"""Records which parameter of a Transformers model becomes which tensor of a GGUF file, with llama.cpp's own conversion.

    pip install torch transformers safetensors
    python3 tools/peft/tensor-names.py <llama.cpp> src/adapter/tensor-names.ts

<llama.cpp> is a checkout of the commit in vendor/llama.cpp.json with gguf-py/ and conversion/.

Every architecture that llama.cpp converts and Transformers implements is made with small sizes. Each weight is a different
whole number, so after the conversion each weight of the GGUF file says where it came from: which parameter, row and column.
A tensor is recorded if its rows are all rows of one parameter, in their order, in the order of llama.cpp's RoPE or sorted by query,
key and value, or one of several equal parts (gate and up of a fused layer). Of the others the reason is recorded, with which
src/adapter refuses them.
"""

import inspect
import json
import pathlib
import re
import sys
import tempfile
import traceback

import torch
import transformers
from safetensors.torch import save_file
from transformers.core_model_loading import revert_weight_conversion

# Sizes of the models. Numbers of heads and widths differ, so that a fit is never a coincidence.
SIZES = {
    "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2,
    "hidden_size": 64, "n_embd": 64, "d_model": 64, "dim": 64,
    "intermediate_size": 96, "n_inner": 96, "ffn_dim": 96, "d_ff": 96, "ffn_hidden_size": 96,
    "moe_intermediate_size": 40, "shared_expert_intermediate_size": 48, "shared_intermediate_size": 48,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4,
    "num_key_value_heads": 2, "num_kv_heads": 2, "num_ln_in_parallel_attn": 2,
    "new_decoder_architecture": True,  # of Falcon: groups of queries share a key and a value
    "head_dim": 16, "kv_channels": 16, "d_kv": 16,
    "vocab_size": 160, "vocab_size_per_layer_input": 160, "hidden_size_per_layer_input": 16,
    "num_experts": 6, "num_local_experts": 6, "n_routed_experts": 6, "moe_num_experts": 6,
    "num_experts_per_tok": 2, "moe_top_k": 2, "moe_k": 2, "top_k": 2, "n_group": 1, "topk_group": 1,
    "q_lora_rank": 24, "kv_lora_rank": 20, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 12,
    "max_position_embeddings": 128, "n_positions": 128, "sliding_window": 32,
    "mamba_d_state": 8, "mamba_n_heads": 4, "mamba_d_head": 32, "mamba_expand": 2, "state_size": 8, "mamba_d_ssm": 128,
    "time_step_rank": 4, "mamba_dt_rank": 4,
    "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
    "interleave_moe_layer_step": 2,  # of Llama 4: every second layer has experts
    "num_nextn_predict_layers": 0, "mlp_only_layers": [], "first_k_dense_replace": 1, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2, "use_cache": False,
}  # fmt: skip


# Parameters of the parts of a model that do not read text, which a GGUF file of a language model does not have.
OTHER_MEDIA = re.compile("vision|visual|audio|multi_modal|connector|embed_vision|projector|talker|code2wav|token2wav")

# Tensors of latent attention that llama.cpp multiplies with the activations without adding an adapter.
WITHOUT_ADAPTER = re.compile(r"\.attn_[kv]_b$")


def small_config(model_class, every_kind):
    """
    The default configuration with the small sizes, also of the text part of a model for text and images. With `every_kind` the
    layers are of different kinds where the usual number of layers has them.
    """
    config_class = model_class.config_class
    known = set(inspect.signature(config_class.__init__).parameters) | set(config_class().to_dict())
    given = {key: value for key, value in SIZES.items() if key in known}
    if "text_config" in known and getattr(config_class(), "text_config", None) is not None:
        text_class = type(config_class().text_config)
        text_known = set(text_class().to_dict())
        given["text_config"] = fitting({key: value for key, value in SIZES.items() if key in text_known})
    config = config_class(**fitting(given))
    text = getattr(config, "text_config", config)
    layers = getattr(text, "num_hidden_layers", 2)
    usual = type(text)()
    for name in ("layer_types", "mlp_layer_types", "layers_block_type"):
        kinds = getattr(text, name, None)
        if not isinstance(kinds, list):
            continue
        different = list(dict.fromkeys(getattr(usual, name, None) or kinds))
        if every_kind and len(set(kinds[:layers])) == 1 and len(different) == layers:
            setattr(text, name, different)  # layers of one kind may come before the first one of the other kind
        elif len(kinds) > layers:
            setattr(text, name, kinds[:layers])
    return config


def fitting(sizes):
    """Latent attention has a key for each head."""
    return {**sizes, "num_key_value_heads": 4} if "kv_lora_rank" in sizes and "num_key_value_heads" in sizes else sizes


def tagged_parameters(model):
    """Every parameter filled with numbers that occur once, as (name, first number, shape)."""
    tags, start, state = [], 1, {}
    for name, value in model.state_dict().items():
        if OTHER_MEDIA.search(name):
            continue
        if not value.is_floating_point():
            state[name] = torch.zeros(value.shape)
            continue
        count = value.numel()
        if start + count >= 2**24:
            raise ValueError("the model is too large for exact numbers")
        state[name] = torch.arange(start, start + count, dtype=torch.float32).reshape(value.shape)
        tags.append((name, start, tuple(value.shape)))
        start += count
    return tags, state


def converted(conversion, gguf, architecture, config, state):
    """The tensors of the GGUF file by name, as llama.cpp's conversion makes them of these parameters."""
    base = conversion.get_model_class(architecture)
    hparams = json.loads(config.to_json_string(use_diff=False))
    hparams["architectures"] = [architecture]
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "config.json").write_text(json.dumps(hparams))
    vocabulary = {str(token): token for token in range(SIZES["vocab_size"])}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors")
    if hasattr(base, "no_mtp"):
        base.no_mtp = True  # layers that predict further tokens are not part of these models
    if hasattr(base, "weight_quant"):
        base.weight_quant = lambda self, weight: weight  # BitNet's rounding keeps every weight in its place
    made = base(folder, gguf.LlamaFileType.ALL_F32, folder / "out.gguf", eager=True, hparams=hparams)
    tensors = {}
    for name, value in made.get_tensors():
        block = next((int(part) for part in name.split(".") if part.isdecimal()), None)
        try:
            for new_name, data in made.modify_tensors(value, name, block):
                tensors[new_name] = data
        except Exception as error:
            print(f"    {name}: {type(error).__name__}: {error}", file=sys.stderr)
    return gguf.MODEL_ARCH_NAMES[base.model_arch], tensors


def rope_order(rows, heads):
    """The row of Transformers that each row of llama.cpp's interleaved RoPE is; None if it is the same order."""
    if rows % (2 * heads) != 0:
        return None
    return torch.arange(rows).reshape(heads, 2, rows // heads // 2).swapaxes(1, 2).reshape(-1).tolist()


def grouped_order(rows, heads, groups):
    """Groups of queries, each with one key and one value, as llama.cpp sorts them: all queries, all keys, all values."""
    if heads % groups != 0 or rows % (heads + 2 * groups) != 0:
        return None
    table = torch.arange(rows).reshape(groups, heads // groups + 2, -1)
    return torch.cat([part.flatten() for part in (table[:, :-2], table[:, -2], table[:, -1])]).tolist()


def value_heads_order(count, linear):
    """
    Value heads of linear attention, which Transformers keeps by key head, in the order of llama.cpp: the first one of each key
    head, then the second ones. Rows of keys before them stay.
    """
    keys, values, width = linear
    ordered = min(count, width)
    if ordered % values != 0:
        return None
    table = torch.arange(count - ordered, count).reshape(keys, values // keys, -1).swapaxes(0, 1)
    return [*range(count - ordered), *table.flatten().tolist()]


def rows_fit(rows, total, heads, linear):
    """How the rows are chosen of `total` rows of a parameter; None if in another way."""
    n = len(rows)
    if rows == list(range(total)):
        return {}
    if linear and n == total and rows == value_heads_order(n, linear):
        return {"valueHeads": "rows"}
    for key, count in heads.items():
        if n == total and rows == rope_order(n, count):
            return {"rope": key}
        if n == total and rows == grouped_order(n, heads["head_count"], count):
            return {"grouped": key}
    if n < total and total % n == 0:
        parts = total // n
        for part in range(parts):
            if rows == list(range(part * n, part * n + n)):
                return {"part": part, "parts": parts}
            if rows == list(range(part, total, parts)):
                return {"part": part, "parts": parts, "interleaved": True}
    return None


def source_of(tensor, tags, heads, linear):
    """
    Where the weights of a tensor come from: the name of the parameter, if it is known, and how its rows are chosen, or the
    `reason` why LoRA factors of one are not factors of the other.
    """
    if tensor.dim() not in (2, 3):
        return {"reason": "it is not a matrix"}
    numbers = tensor.double()
    if not torch.equal(numbers, numbers.round()):
        return {"reason": "its values are computed"}
    experts = tensor.shape[0] if tensor.dim() == 3 else 1
    numbers = numbers.long().reshape(experts, tensor.shape[-2], tensor.shape[-1])
    first = numbers[0, 0, 0].item()
    found = next((tag for tag in tags if tag[1] <= first < tag[1] + torch.Size(tag[2]).numel()), None)
    if found is None:
        return {"reason": "its values are computed"}
    name, start, shape = found
    if len(shape) != tensor.dim():
        return {"name": name, "reason": "its dimensions differ"}
    source = torch.arange(start, start + torch.Size(shape).numel()).reshape(experts if len(shape) == 3 else 1, *shape[-2:])
    if source.shape[0] != experts:
        return {"name": name, "reason": "it has only some of the experts"}
    for transposed in (False, True):
        table = source.swapaxes(1, 2) if transposed else source  # [expert, row, column]
        if table.shape[2] != numbers.shape[2]:
            continue
        rows = [torch.nonzero(table[0, :, 0] == number).flatten().tolist() for number in numbers[0, :, 0]]
        if any(len(row) != 1 for row in rows):
            continue
        rows = [row[0] for row in rows]
        columns = value_heads_order(table.shape[2], linear) if linear else None
        if columns and rows == list(range(table.shape[1])) and torch.equal(table[:, :, columns], numbers):
            if not torch.equal(table, numbers):
                return {"name": name, "valueHeads": "columns", **({"transposed": True} if transposed else {})}
        if not torch.equal(table[:, rows, :], numbers):
            continue
        fit = rows_fit(rows, table.shape[1], heads, linear)
        if fit is None:
            return {"name": name, "reason": "its rows are in another order"}
        return {"name": name, **fit, **({"transposed": True} if transposed else {})}
    return {"name": name, "reason": "its columns are in another order or come from several parameters"}


def is_linear(module):
    """Whether PEFT can add the output of a LoRA pair to that of the module; routers may return several values."""
    if not isinstance(module, (torch.nn.Linear, transformers.pytorch_utils.Conv1D)):
        return False
    if type(module).forward in (torch.nn.Linear.forward, transformers.pytorch_utils.Conv1D.forward):
        return True
    return isinstance(module(torch.zeros(1, module.in_features, device="meta")), torch.Tensor)


def kind_of(model, name):
    """How PEFT adapts this parameter."""
    path, _, parameter = name.rpartition(".")
    module = model.get_submodule(path)
    if parameter == "weight" and is_linear(module):
        return {"module": path}
    if parameter == "weight" and isinstance(module, torch.nn.Embedding):
        return {"module": path, "embedding": True}
    order = [key for key, value in module.named_parameters(recurse=False) if value.dim() in (2, 3)]
    return {"module": path, "parameter": parameter, "order": order.index(parameter)}


def is_transposed(model, module):
    """What PEFT asks to tell the inputs of stacked experts from their outputs."""
    return bool(getattr(model.get_submodule(module), "is_transposed", False))


def pattern(name):
    return re.sub(r"(?<=\.)\d+(?=\.|$)", "{}", name, count=1)


def small_model(model_class):
    """The model without values, and its configuration. Some kinds of layers need sizes that are not known here."""
    for every_kind in (True, False):
        try:
            config = small_config(model_class, every_kind)
            with torch.device("meta"):
                return model_class._from_config(config), config
        except (AttributeError, TypeError):
            if not every_kind:
                raise


def record(conversion, gguf, architecture):
    model, config = small_model(getattr(transformers, architecture))
    tags, state = tagged_parameters(model)
    arch, tensors = converted(conversion, gguf, architecture, config, revert_weight_conversion(model, state))
    text = getattr(config, "text_config", config)
    n_head = next((getattr(text, key) for key in ("num_attention_heads", "n_head", "n_heads") if hasattr(text, key)), 0)
    n_kv = next((getattr(text, key) for key in ("num_key_value_heads", "num_kv_heads") if getattr(text, key, None)), n_head)
    heads = {"head_count": n_head, "head_count_kv": n_kv}
    linear = None
    if hasattr(text, "linear_num_value_heads"):
        values = text.linear_num_value_heads
        linear = (text.linear_num_key_heads, values, values * text.linear_value_head_dim)
    names, unsupported = {}, {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2 or not name.endswith(".weight"):
            continue
        source = source_of(tensor, tags, heads, linear)
        key = pattern(name.removesuffix(".weight"))
        if "name" not in source:
            unsupported[key] = source
            continue
        parameter = source.pop("name")
        entry = {"module": parameter.rpartition(".")[0]} if "reason" in source else kind_of(model, parameter)
        entry.update(source)
        if "reason" not in entry and tensor.dim() == 3 and is_transposed(model, entry["module"]) != ("transposed" in entry):
            entry["swapped"] = True
        entry["module"] = pattern(entry["module"])
        if key in names and names[key] != entry:
            entry["reason"] = "it differs between layers"
        if "reason" in entry:
            reason = "llama.cpp applies no adapter to it" if WITHOUT_ADAPTER.search(key) else entry["reason"]
            unsupported[key] = {"module": entry["module"], "reason": reason}
        names[key] = entry
    for key in unsupported:
        names.pop(key, None)
    return arch, names, unsupported


def preference(arch, name):
    """Models of text come before those that also read images or sound, and the one that gave the architecture its name first."""
    is_text = re.search("ForCausalLM$|LMHeadModel$", name) is not None
    return not is_text, not name.lower().startswith(re.sub("[^a-z0-9]", "", arch)), name


def expert_names(gguf):
    """Names of single experts in older checkpoints, by tensor: 'model.layers.{}.mlp.experts.{}.gate_proj'."""
    table = gguf.TensorNameMap.block_mappings_cfg
    return {
        gguf.TENSOR_NAMES[tensor].replace("{bid}", "{}"): [
            re.sub(r"\.experts\.", ".experts.{}.", key.replace("{bid}", "{}")) for key in table[tensor] if ".experts." in key
        ]
        for tensor in (gguf.MODEL_TENSOR.FFN_GATE_EXP, gguf.MODEL_TENSOR.FFN_UP_EXP, gguf.MODEL_TENSOR.FFN_DOWN_EXP)
    }


def main():
    source, output = map(pathlib.Path, sys.argv[1:])
    sys.path[:0] = [str(source), str(source / "gguf-py")]
    import conversion
    import gguf

    variants, reasons = {}, {}
    for architecture in sorted(conversion.TEXT_MODEL_MAP):
        if not hasattr(transformers, architecture) or not re.search("CausalLM|ConditionalGeneration|LMHead", architecture):
            continue
        try:
            arch, names, unsupported = record(conversion, gguf, architecture)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            print(f"{architecture}: {type(error).__name__}: {str(error)[:200]} ({place.filename}:{place.lineno})", file=sys.stderr)
            continue
        print(f"{architecture} ({arch}): {len(names)} tensors; not {unsupported}", file=sys.stderr)
        if not names:
            continue
        known = variants.setdefault(arch, [])
        made = {"tensors": names, "unsupported": unsupported}
        same = next((variant for variant in known if {**made, "classes": variant["classes"]} == variant), None)
        if same:
            same["classes"] = sorted([*same["classes"], architecture], key=lambda name: preference(arch, name))
        else:
            known.append({"classes": [architecture], **made})
    for arch, known in variants.items():
        known.sort(key=lambda variant: preference(arch, variant["classes"][0]))
    lines = [
        f"  [{json.dumps(arch)}, {json.dumps(variant, separators=(',', ':'))}]"
        for arch in sorted(variants)
        for variant in variants[arch]
    ]
    experts = json.dumps(expert_names(gguf), separators=(",", ":"))
    output.write_text(TYPESCRIPT.replace("LINES", ",\n".join(lines)).replace("EXPERTS", experts))


TYPESCRIPT = """// Written by tools/peft/tensor-names.py with llama.cpp's conversion and Transformers. Do not edit.

/** Pairs of an architecture of GGUF and a variant: see `Variant` in names.ts. JSON, because it compiles faster. */
export const TENSOR_NAMES = `[
LINES
]`;

/** Modules of single experts in older checkpoints, by tensor of GGUF. */
export const EXPERT_NAMES = `EXPERTS`;
"""

if __name__ == "__main__":
    main()
