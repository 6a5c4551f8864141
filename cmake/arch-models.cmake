# Makes OUTPUT/<name>.gguf for each name in NAMES that has no file yet. Run by ctest with cmake -P.
# Names are llama.cpp's architecture names; the suffix -moe asks for the mixture-of-experts model of an architecture.

file(STRINGS ${NAMES} names REGEX "^[a-z]")
set(missing "")
foreach(name IN LISTS names)
    if (NOT EXISTS "${OUTPUT}/${name}.gguf")
        list(APPEND missing ${name})
    endif()
endforeach()
if (NOT missing)
    return()
endif()

if (NOT EXISTS "${GENERATOR}")
    execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD_DIR} --config ${CONFIG} --target make-arch-models --parallel
        RESULT_VARIABLE status)
    if (NOT status EQUAL 0)
        message(FATAL_ERROR "building make-arch-models failed")
    endif()
endif()

# A folder of its own, and a rename at the end: an interrupted run leaves no half-written model behind.
set(work "${OUTPUT}/.making")
foreach(name IN LISTS missing)
    file(REMOVE_RECURSE "${work}")
    file(MAKE_DIRECTORY "${work}")
    string(REGEX REPLACE "-moe$" "" architecture "${name}")
    execute_process(COMMAND ${GENERATOR} -s 42 -a ${architecture} -o ${work}
        RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if (name MATCHES "-moe$")
        set(made "${work}/${name}.gguf")
    else()
        set(made "${work}/${name}-dense.gguf")
    endif()
    if (NOT status EQUAL 0 OR NOT EXISTS "${made}")
        message(FATAL_ERROR "make-arch-models -a ${architecture} made no ${made} (${status}): ${output}")
    endif()
    file(RENAME "${made}" "${OUTPUT}/${name}.gguf")
    message(STATUS "made ${OUTPUT}/${name}.gguf")
endforeach()
file(REMOVE_RECURSE "${work}")
