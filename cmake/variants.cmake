# The prebuilt addon for Linux x86-64. The CPU accelerator needs oneDNN and is compiled for specific instruction sets, so
# there are several variants of the addon: one with the accelerator for each of `levels`, and a plain one for all other
# CPUs. llamatune.node is a small file that loads the best variant (native/addon-variants.cpp). The variants are whole
# addons, because the linker may replace an inline function by a copy from another file of the same library that was
# compiled with AVX-512, so no library may contain code for two generations of CPUs.

set(levels x86-64-v3 x86-64-v4 x86-64-v4-bf16)

# All variants have the same binding and core. The variants of `levels` have the accelerator instead of its stub.
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
    # llamatune-core comes last, so that the linker does not take its stub of the accelerator.
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
