# Native tests, which do not need Node. `ctest` first makes a tiny model of every architecture, unless they exist.

set(LLAMATUNE_TEST_CACHE "${CMAKE_SOURCE_DIR}/.cache/test" CACHE PATH "folder for files that tests generate, kept between runs")

file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS test/native/*.cpp)
if (NOT core_has_accelerator)
    list(FILTER test_sources EXCLUDE REGEX "test/native/cpu/kernels/") # these call kernels that are not built
endif()
add_executable(llamatune-native-tests ${test_sources})
target_include_directories(llamatune-native-tests PRIVATE test/native)
include(cmake/cuda-supports-op.cmake)
set_source_files_properties(test/native/device/cuda-stand-in/cuda-stand-in.cpp test/native/device/cuda-stand-in/supports-op.cpp
    PROPERTIES INCLUDE_DIRECTORIES "${CMAKE_SOURCE_DIR}/vendor/llama.cpp/ggml/src;${LLAMATUNE_GENERATED_DIR}")
target_include_directories(llamatune-native-tests SYSTEM PRIVATE vendor/llama.cpp/vendor) # nlohmann/json.hpp
set_source_files_properties(test/native/train/capabilities.cpp PROPERTIES # implements a ggml device
    INCLUDE_DIRECTORIES "${CMAKE_SOURCE_DIR}/vendor/llama.cpp/ggml/src")
target_compile_definitions(llamatune-native-tests PRIVATE
    LLAMATUNE_TEST_CACHE_DEFAULT="${LLAMATUNE_TEST_CACHE}"
    LLAMATUNE_TEST_SOURCE_DIR_DEFAULT="${CMAKE_SOURCE_DIR}")
target_link_libraries(llamatune-native-tests PRIVATE llamatune-core)
# Tests of the CPU's fast path may be skipped in a build that is without oneDNN by choice, or where there is no package of it
# to fetch. See test/native/expected-skips.cpp.
if (NOT with_onednn AND NOT (CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64"
        AND onednn_problem))
    target_compile_definitions(llamatune-native-tests PRIVATE LLAMATUNE_TEST_WITHOUT_ONEDNN)
endif()

# llama.cpp's generator of tiny random models, one per architecture.
add_executable(make-arch-models EXCLUDE_FROM_ALL vendor/llama.cpp/tests/test-llama-archs.cpp)
target_link_libraries(make-arch-models PRIVATE llama-common llama)
target_include_directories(make-arch-models PRIVATE vendor/llama.cpp/src vendor/llama.cpp/ggml/src)
if (LLAMATUNE_PORTABLE)
    get_property(backend_targets CACHE GGML_AVAILABLE_BACKENDS PROPERTY VALUE)
    add_dependencies(llamatune-native-tests ggml ${backend_targets})
endif()

# llama.cpp's RPC server, a process that tests train over and can kill.
add_executable(llamatune-rpc-server vendor/llama.cpp/tools/rpc/rpc-server.cpp)
target_link_libraries(llamatune-rpc-server PRIVATE ggml)
set_target_properties(llamatune-rpc-server PROPERTIES RUNTIME_OUTPUT_DIRECTORY "$<1:${LLAMATUNE_OUTPUT_DIR}>")
add_dependencies(llamatune-native-tests llamatune-rpc-server)

# The generator is slow to build (llama-common) and needed once, so the test that needs it builds it.
add_test(NAME arch-models COMMAND ${CMAKE_COMMAND}
    -DBUILD_DIR=${CMAKE_BINARY_DIR}
    -DCONFIG=$<CONFIG>
    -DGENERATOR=$<TARGET_FILE:make-arch-models>
    -DOUTPUT=${LLAMATUNE_TEST_CACHE}/arch-models
    -P ${CMAKE_SOURCE_DIR}/cmake/arch-models.cmake)
set_tests_properties(arch-models PROPERTIES FIXTURES_SETUP arch-models TIMEOUT 1800)

# Most tests compute on one thread, so `ctest --parallel` runs shares of them on several cores. There are more shares than
# usual cores, because some take longer than others.
set(shares 8)
foreach (share RANGE 1 ${shares})
    add_test(NAME native-${share} COMMAND llamatune-native-tests --share ${share}/${shares})
    set_tests_properties(native-${share} PROPERTIES FIXTURES_REQUIRED arch-models TIMEOUT 3600
        ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
endforeach()

# The graphs that a CUDA device gets, computed on the CPU (test/native/device/cuda-stand-in).
add_test(NAME cuda-graphs COMMAND llamatune-native-tests autodiff/rules autodiff/frozen
    device/gradients device/graphs device/optimizer)
set_tests_properties(cuda-graphs PROPERTIES FIXTURES_REQUIRED arch-models TIMEOUT 3600 COST 1 # starts first
    ENVIRONMENT "LLAMATUNE_TEST_DEVICE=CUDA-stand-in;UBSAN_OPTIONS=print_stacktrace=1")
