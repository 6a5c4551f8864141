# llama.cpp's benchmark, built with the same ggml and llama as the addon. bench:generation compares generate() with it.

set(llama_bench_dir vendor/llama.cpp/tools/llama-bench)
add_executable(llama-bench EXCLUDE_FROM_ALL ${llama_bench_dir}/main.cpp ${llama_bench_dir}/llama-bench.cpp)
target_link_libraries(llama-bench PRIVATE llama-common llama)
set_target_properties(llama-bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY "$<1:${LLAMATUNE_OUTPUT_DIR}>")
