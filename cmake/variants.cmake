# The prebuilt addon for Linux. The kernels that make training on a CPU fast need oneDNN and have to be compiled for the
# instructions that they use, so the addon is there several times: once for each of `levels`, with oneDNN, and once plain,
# for all other CPUs. llamatune.node is a small file that opens the best one (native/addon-variants.cpp).
# Whole addons and not only kernels: an inline function that is compiled with AVX-512 in one file may stand in for the
# same function of any other file of that library, so no library may hold code for two kinds of CPUs.

if (CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
    set(levels x86-64-v3 x86-64-v4 x86-64-v4-bf16)
else()
    set(levels armv8-a)
endif()

# Each variant is the same binding and core; with the accelerator in place of the core's stub where there is a level.
add_library(llamatune-binding OBJECT ${addon_sources})
llamatune_addon_settings(llamatune-binding)
target_link_libraries(llamatune-binding PRIVATE llamatune-core)

function(llamatune_variant name)
    add_library(llamatune-${name} MODULE $<TARGET_OBJECTS:llamatune-binding> ${ARGN})
    llamatune_addon_settings(llamatune-${name})
    llamatune_addon_link(llamatune-${name})
    set_target_properties(llamatune-${name} PROPERTIES PREFIX "lib")
    add_dependencies(llamatune llamatune-${name})
endfunction()

llamatune_variant(plain)
target_link_libraries(llamatune-plain PRIVATE llamatune-core)

foreach(level ${levels})
    llamatune_variant(${level} ${accelerator_sources})
    string(REPLACE "-bf16" ";-mavx512bf16" instructions "-march=${level}")
    target_compile_options(llamatune-${level} PRIVATE -O3 ${instructions})
    target_include_directories(llamatune-${level} PRIVATE ${accelerator_include_dir})
    # llamatune-core last: its stub of the accelerator is then not needed.
    target_link_libraries(llamatune-${level} PRIVATE DNNL::dnnl OpenMP::OpenMP_CXX llamatune-core)
    llamatune_bundle_onednn(llamatune-${level})
endforeach()

# A machine that compiles nothing may not have the compiler's OpenMP, which oneDNN runs on.
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libgomp.so.1 OUTPUT_VARIABLE gomp OUTPUT_STRIP_TRAILING_WHITESPACE)
if (IS_ABSOLUTE "${gomp}")
    get_filename_component(gomp "${gomp}" REALPATH)
    add_custom_command(TARGET llamatune POST_BUILD
        COMMAND ${CMAKE_COMMAND} -E copy_if_different ${gomp} $<TARGET_FILE_DIR:llamatune>/libgomp.so.1)
endif()
