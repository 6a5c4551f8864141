# The vendored llama.cpp, built in one of two ways:
# - default: everything static and tuned to this machine's CPU, so that the addon is one file;
# - LLAMATUNE_PORTABLE: ggml as shared libraries next to the addon, with one CPU back end for each generation of CPUs,
#   chosen at load time (backends/load). llama itself is static, because llamatune calls its internals.

if (NOT EXISTS "${CMAKE_SOURCE_DIR}/vendor/llama.cpp/CMakeLists.txt")
    message(FATAL_ERROR "vendor/llama.cpp is missing. Run: node vendor/fetch.mjs")
endif()

# llama.cpp's build asks git for its commit. It must not find llamatune's repository, or every commit would recompile
# llama.cpp.
set(ENV{GIT_CEILING_DIRECTORIES} "${CMAKE_SOURCE_DIR}/vendor")

set(GGML_OPENMP OFF CACHE BOOL "" FORCE)
set(LLAMA_BUILD_IS_DEV OFF CACHE BOOL "" FORCE)
set(GGML_CCACHE OFF CACHE BOOL "" FORCE)
set(LLAMA_OPENSSL OFF CACHE BOOL "" FORCE)
set(LLAMA_BUILD_COMMON OFF CACHE BOOL "" FORCE)
if (LLAMATUNE_TESTS OR LLAMATUNE_LLAMA_BENCH)
    set(LLAMA_BUILD_COMMON ON CACHE BOOL "" FORCE)
endif()
# Devices of other machines, over TCP. No RDMA, because the binary would then need libibverbs everywhere.
set(GGML_RPC ON CACHE BOOL "" FORCE)
set(GGML_RPC_RDMA OFF CACHE BOOL "" FORCE)
foreach(part TESTS TOOLS EXAMPLES SERVER APP)
    set(LLAMA_BUILD_${part} OFF CACHE BOOL "" FORCE)
endforeach()

# Back ends: always the CPU; a GPU back end if it is ON, or if it is AUTO and its tools are found.
function(llamatune_find_vulkan result)
    set(${result} OFF PARENT_SCOPE)
    find_package(Vulkan QUIET COMPONENTS glslc)
    find_package(SPIRV-Headers QUIET CONFIG)
    if (Vulkan_FOUND AND Vulkan_GLSLC_EXECUTABLE AND SPIRV-Headers_FOUND)
        include(CheckCXXSourceCompiles)
        set(CMAKE_REQUIRED_INCLUDES ${Vulkan_INCLUDE_DIRS})
        # ggml uses extensions that older headers lack.
        check_cxx_source_compiles("#include <vulkan/vulkan.hpp>
            int main() { vk::LayerSettingEXT setting; (void) setting; return 0; }" LLAMATUNE_VULKAN_HEADERS_FIT)
        set(${result} ${LLAMATUNE_VULKAN_HEADERS_FIT} PARENT_SCOPE)
    endif()
endfunction()

function(llamatune_find_backend backend result)
    set(found OFF)
    if (backend STREQUAL "METAL" AND APPLE)
        set(found ON)
    elseif (backend STREQUAL "CUDA")
        find_program(LLAMATUNE_NVCC nvcc HINTS ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
        if (LLAMATUNE_NVCC)
            set(found ON)
        endif()
    elseif (backend STREQUAL "HIP")
        find_program(LLAMATUNE_HIPCC hipcc HINTS ENV ROCM_PATH /opt/rocm PATH_SUFFIXES bin)
        if (LLAMATUNE_HIPCC)
            set(found ON)
        endif()
    elseif (backend STREQUAL "VULKAN")
        llamatune_find_vulkan(found)
    endif()
    set(${result} ${found} PARENT_SCOPE)
endfunction()

foreach(backend VULKAN CUDA HIP METAL)
    set(wanted "${LLAMATUNE_${backend}}")
    if (wanted STREQUAL "" AND backend STREQUAL "METAL")
        set(wanted AUTO)
    endif()
    if (wanted STREQUAL "AUTO")
        llamatune_find_backend(${backend} wanted)
    endif()
    if (wanted)
        set(GGML_${backend} ON CACHE BOOL "" FORCE)
        message(STATUS "llamatune: with ${backend}")
    else()
        set(GGML_${backend} OFF CACHE BOOL "" FORCE)
    endif()
endforeach()
if (GGML_METAL)
    # Embeds the shader library in the binary, so that no file has to be found at run time.
    set(GGML_METAL_EMBED_LIBRARY ON CACHE BOOL "" FORCE)
endif()
# A training step is one static graph of thousands of small kernels. ggml turns this off if it is built without llama.
set(GGML_CUDA_GRAPHS ON CACHE BOOL "" FORCE)
if (GGML_CUDA AND NOT CMAKE_CUDA_COMPILER)
    llamatune_find_backend(CUDA found)
    if (LLAMATUNE_NVCC)
        set(CMAKE_CUDA_COMPILER ${LLAMATUNE_NVCC})
    endif()
endif()

if (LLAMATUNE_PORTABLE)
    set(GGML_NATIVE OFF CACHE BOOL "" FORCE)
    set(GGML_BACKEND_DL ON CACHE BOOL "" FORCE)
    set(GGML_CPU_ALL_VARIANTS ON CACHE BOOL "" FORCE)
    # Plain file names: npm packages cannot hold the symbolic links of versioned libraries.
    set(CMAKE_PLATFORM_NO_VERSIONED_SONAME ON)
    # All libraries are in one folder and find each other there, also after the folder is moved.
    set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "$<1:${LLAMATUNE_OUTPUT_DIR}>")
    set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "$<1:${LLAMATUNE_OUTPUT_DIR}>")
    set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
    set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
    if (APPLE)
        set(CMAKE_INSTALL_RPATH "@loader_path")
    else()
        set(CMAKE_INSTALL_RPATH "$ORIGIN")
    endif()
    set(BUILD_SHARED_LIBS ON)
    add_subdirectory(vendor/llama.cpp/ggml EXCLUDE_FROM_ALL)
    # Distinct names, so that a process that also loads the ggml of another package does not mix the two.
    set_target_properties(ggml PROPERTIES OUTPUT_NAME llamatune-ggml)
    set_target_properties(ggml-base PROPERTIES OUTPUT_NAME llamatune-ggml-base)
endif()

set(BUILD_SHARED_LIBS OFF)
add_subdirectory(vendor/llama.cpp EXCLUDE_FROM_ALL)

if (LLAMATUNE_SANITIZE)
    # ggml's CPU kernels read packed blocks at odd addresses and shift into the sign on purpose (x86 and arm64 allow it).
    # llamatune's kernels are checked.
    target_compile_options(ggml-cpu PRIVATE -fno-sanitize=alignment,shift)
    if (TARGET ggml-rpc)
        # it takes references to fields of packed structures
        target_compile_options(ggml-rpc PRIVATE -fno-sanitize=alignment)
    endif()
endif()
