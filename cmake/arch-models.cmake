# Makes OUTPUT/<name>.gguf for every architecture of llama.cpp's generator, unless they exist. Run by ctest with cmake -P.
# Names are llama.cpp's; the suffix -moe is the mixture-of-experts model of an architecture.

set(complete "${OUTPUT}/.complete")
if (EXISTS "${complete}")
    return()
endif()

if (NOT EXISTS "${GENERATOR}")
    execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD_DIR} --config ${CONFIG} --target make-arch-models --parallel
        RESULT_VARIABLE status)
    if (NOT status EQUAL 0)
        message(FATAL_ERROR "building make-arch-models failed")
    endif()
endif()

# Works in a separate folder and renames at the end, so that an interrupted run leaves no incomplete model behind.
set(work "${OUTPUT}/.making")
file(REMOVE_RECURSE "${work}")
file(MAKE_DIRECTORY "${work}")
execute_process(COMMAND ${GENERATOR} -s 42 -o ${work} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
file(GLOB made RELATIVE "${work}" "${work}/*.gguf")
list(LENGTH made count)
if (NOT status EQUAL 0 OR count EQUAL 0)
    message(FATAL_ERROR "make-arch-models made ${count} models (${status}): ${output}")
endif()
foreach(file IN LISTS made)
    string(REGEX REPLACE "-dense\\.gguf$" ".gguf" name "${file}")
    file(RENAME "${work}/${file}" "${OUTPUT}/${name}")
endforeach()
file(REMOVE_RECURSE "${work}")
file(TOUCH "${complete}")
message(STATUS "made ${count} models in ${OUTPUT}")
