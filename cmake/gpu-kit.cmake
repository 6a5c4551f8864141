# What tools/gpu-kit packs in addition to the native tests, for machines without Node.

# No flash attention, which training does not use and without which generation works; and the quantized matrix products of
# only those types that most of the kit's tests and benchmarks multiply with (vendor/patches/0032).
option(LLAMATUNE_CUDA_FEWER_KERNELS "a CUDA back end that compiles in half the time" OFF)
if (LLAMATUNE_CUDA_FEWER_KERNELS)
    get_target_property(cuda_sources ggml-cuda SOURCES)
    list(FILTER cuda_sources EXCLUDE REGEX "/fattn[^/]*\\.cu$")
    list(FILTER cuda_sources EXCLUDE REGEX "/mmq-instance-(iq|mxfp4|nvfp4|q[1234]_[01]|q5_1|q[235]_k)")
    set_target_properties(ggml-cuda PROPERTIES SOURCES "${cuda_sources}")
    get_target_property(cuda_folder ggml-cuda SOURCE_DIR)
    set_source_files_properties("${cuda_folder}/mmq.cu" TARGET_DIRECTORY ggml-cuda
        PROPERTIES COMPILE_DEFINITIONS GGML_CUDA_MMQ_FEWER_TYPES)
    target_sources(ggml-cuda PRIVATE "${CMAKE_SOURCE_DIR}/tools/gpu-kit/no-flash-attention.cu")
    target_include_directories(ggml-cuda PRIVATE "${cuda_folder}")
endif()

# The benchmark.
file(GLOB gpu_kit_sources CONFIGURE_DEPENDS tools/gpu-kit/native/*.cpp)
add_executable(llamatune-gpu-bench EXCLUDE_FROM_ALL ${gpu_kit_sources} test/native/data/token-file-bytes.cpp)
target_include_directories(llamatune-gpu-bench PRIVATE tools/gpu-kit/native test/native)
target_include_directories(llamatune-gpu-bench SYSTEM PRIVATE vendor/llama.cpp/vendor) # nlohmann/json.hpp
target_link_libraries(llamatune-gpu-bench PRIVATE llamatune-core)

if (LLAMATUNE_PORTABLE)
    target_sources(make-arch-models PRIVATE tools/gpu-kit/load-back-ends.cpp)
endif()
