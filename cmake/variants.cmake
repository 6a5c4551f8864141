# The prebuilt addon for Linux x86-64. The CPU accelerator needs oneDNN and is compiled for the instructions that it uses, so
# the addon exists several times: once for each of `levels` with the accelerator, and once plain, for all other CPUs.
# llamatune.node is a small file that opens the best one (native/addon-variants.cpp). Whole addons and not only kernels: an
# inline function that is compiled with AVX-512 in one file may replace the same function of any other file of that
# library, so no library may hold code for two generations of CPUs.

set(levels x86-64-v3 x86-64-v4 x86-64-v4-bf16)

# Each variant is the same binding and core; those of a level have the accelerator in place of the core's stub.
add_library(llamatune-binding OBJECT ${addon_sources})
llamatune_addon_settings(llamatune-binding)
target_link_libraries(llamatune-binding PRIVATE llamatune-core)

function(llamatune_variant name)
    add_library(llamatune-${name} MODULE $<TARGET_OBJECTS:llamatune-binding> ${ARGN})
    llamatune_addon_settings(llamatune-${name})
    llamatune_addon_link(llamatune-${name})
    set_target_properties(llamatune-${name} PROPERTIES PREFIX "lib" LINKER_LANGUAGE CXX)
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

# A machine without a compiler may lack its OpenMP library, which oneDNN needs.
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libgomp.so.1 OUTPUT_VARIABLE gomp OUTPUT_STRIP_TRAILING_WHITESPACE)
if (IS_ABSOLUTE "${gomp}")
    get_filename_component(gomp "${gomp}" REALPATH)
    add_custom_command(TARGET llamatune POST_BUILD
        COMMAND ${CMAKE_COMMAND} -E copy_if_different ${gomp} $<TARGET_FILE_DIR:llamatune>/libgomp.so.1)
endif()
