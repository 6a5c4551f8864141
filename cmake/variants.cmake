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

# Compiled anew for each level: what is different with oneDNN. The rest comes from llamatune-core.
file(GLOB_RECURSE all_sources CONFIGURE_DEPENDS native/*.cpp)
file(GLOB_RECURSE kernel_sources CONFIGURE_DEPENDS native/cpu/device/*.cpp native/cpu/fusion/*.cpp native/cpu/kernels/*.cpp)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${all_sources})
set(different_sources ${kernel_sources})
list(REMOVE_ITEM all_sources ${kernel_sources})
foreach(source ${all_sources})
    file(STRINGS ${source} mentions REGEX "LLAMATUNE_ONEDNN")
    if (mentions)
        list(APPEND different_sources ${source})
    endif()
endforeach()
set(same_addon_sources ${addon_sources})
list(REMOVE_ITEM same_addon_sources ${different_sources})

add_library(llamatune-binding OBJECT ${same_addon_sources})
llamatune_addon_settings(llamatune-binding)
target_link_libraries(llamatune-binding PRIVATE llamatune-core)

function(llamatune_variant name)
    add_library(llamatune-${name} MODULE $<TARGET_OBJECTS:llamatune-binding> ${ARGN})
    llamatune_addon_settings(llamatune-${name})
    llamatune_addon_link(llamatune-${name})
    set_target_properties(llamatune-${name} PROPERTIES PREFIX "lib")
    add_dependencies(llamatune llamatune-${name})
endfunction()

set(plain_sources ${addon_sources})
list(REMOVE_ITEM plain_sources ${same_addon_sources})
llamatune_variant(plain ${plain_sources})
target_link_libraries(llamatune-plain PRIVATE llamatune-core)

foreach(level ${levels})
    llamatune_variant(${level} ${different_sources})
    target_compile_definitions(llamatune-${level} PRIVATE LLAMATUNE_ONEDNN)
    string(REPLACE "-bf16" ";-mavx512bf16" instructions "-march=${level}")
    target_compile_options(llamatune-${level} PRIVATE -O3 ${instructions})
    # the products' device implements ggml's internal interface
    target_include_directories(llamatune-${level} PRIVATE vendor/llama.cpp/ggml/src)
    # Last llamatune-core: of the files that are different it has those of the plain variant, which are then not needed.
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
