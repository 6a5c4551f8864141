#pragma once

namespace llamatune {

// Registers a ggml device of type ACCEL that runs large matrix products on the CPU through a library made for them:
// several times faster than ggml's own CPU path for the batch sizes of training. Its buffers are the CPU's, so that it
// works beside the CPU back end without copies; every llama.cpp context uses it by itself. Idempotent.
// Without such a library at build time, or with the variable LLAMATUNE_MATMUL=off, it does nothing.
//
// A back end made with the parameter "bf16" multiplies in bfloat16 and sums in F32 (but for products with a small
// dimension, such as those of LoRA pairs, which stay F32); one made with "f32" multiplies in F32. llama.cpp gives none:
// a back end of a context for inference takes bfloat16 where ggml's own products round activations as much or more,
// runs a linear layer and its LoRA pair as one kernel, and attends. It reads the weights that ggml lays out for AMX as
// well.
void register_matmul_device();

}
