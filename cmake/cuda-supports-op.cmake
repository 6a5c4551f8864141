# Writes cuda-supports-op.inc: the functions of llama.cpp's CUDA back end that say which operations it runs, cut from its
# sources. The stand-in for a CUDA device in the native tests compiles them without CUDA.

function(llamatune_cut from start end result)
    file(READ "${CMAKE_SOURCE_DIR}/vendor/llama.cpp/ggml/src/ggml-cuda/${from}" source)
    string(FIND "${source}" "${start}" first)
    string(FIND "${source}" "${end}" last)
    if (first LESS 0 OR last LESS first)
        message(FATAL_ERROR "${from} of llama.cpp has no '${start}' before '${end}': adapt cmake/cuda-supports-op.cmake")
    endif()
    math(EXPR length "${last} - ${first}")
    string(SUBSTRING "${source}" ${first} ${length} function)
    set(${result} "${function}" PARENT_SCOPE)
endfunction()

llamatune_cut(out-prod.cu "bool ggml_cuda_out_prod_supported(" "void ggml_cuda_out_prod(" out_prod_supported)
llamatune_cut(ggml-cuda.cu "static bool ggml_backend_cuda_device_supports_op("
    "static bool ggml_backend_cuda_device_supports_buft(" supports_op)
file(CONFIGURE OUTPUT "${LLAMATUNE_GENERATED_DIR}/cuda-supports-op.inc" CONTENT "static @out_prod_supported@\n@supports_op@"
    @ONLY NEWLINE_STYLE UNIX)
