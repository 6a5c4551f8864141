# The Node addon: llamatune.node. It uses only Node-API, whose headers come from two npm packages, so no headers of a
# particular Node version are needed. cmake-js sets CMAKE_JS_INC to their folders; without cmake-js, node finds them.

if (CMAKE_JS_INC)
    set(node_include_dirs ${CMAKE_JS_INC})
else()
    find_program(NODE_EXECUTABLE NAMES node nodejs REQUIRED)
    execute_process(
        COMMAND ${NODE_EXECUTABLE} -p
            "[require('node-api-headers').include_dir, require('node-addon-api').include_dir].map((d) => require('path').resolve(d)).join(';')"
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
        OUTPUT_VARIABLE node_include_dirs
        OUTPUT_STRIP_TRAILING_WHITESPACE
        RESULT_VARIABLE status)
    if (NOT status EQUAL 0)
        message(FATAL_ERROR "node-addon-api or node-api-headers is missing. Run: npm install")
    endif()
endif()

function(llamatune_addon_settings target)
    target_include_directories(${target} PRIVATE native)
    target_include_directories(${target} SYSTEM PRIVATE ${node_include_dirs})
    target_compile_definitions(${target} PRIVATE NAPI_VERSION=8 NAPI_CPP_EXCEPTIONS NODE_ADDON_API_DISABLE_DEPRECATED BUILDING_NODE_EXTENSION)
    set_target_properties(${target} PROPERTIES
        CXX_VISIBILITY_PRESET hidden
        VISIBILITY_INLINES_HIDDEN ON
        RUNTIME_OUTPUT_DIRECTORY "$<1:${LLAMATUNE_OUTPUT_DIR}>"
        LIBRARY_OUTPUT_DIRECTORY "$<1:${LLAMATUNE_OUTPUT_DIR}>")
endfunction()

function(llamatune_addon_link target)
    target_link_libraries(${target} PRIVATE ${CMAKE_JS_LIB})
    if (APPLE)
        # The functions of Node-API are in the node executable.
        target_link_options(${target} PRIVATE -undefined dynamic_lookup)
    elseif (UNIX)
        # exclude-libs: hides the symbols of static libraries from other addons. nodelete: the threads and static objects of
        # ggml must outlive the worker thread that loaded the addon.
        target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL -Wl,-z,nodelete)
    endif()
endfunction()

if (MSVC AND CMAKE_JS_NODELIB_DEF AND CMAKE_JS_NODELIB_TARGET)
    # Makes the import library of node.exe from the list of Node-API functions.
    execute_process(COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET} ${CMAKE_STATIC_LINKER_FLAGS})
endif()

# scripts/build-stamp.mjs; a build without the scripts has the version only.
if (NOT LLAMATUNE_BUILD_STAMP)
    file(STRINGS package.json version_line REGEX "^  \"version\": ")
    string(REGEX REPLACE ".*: \"(.*)\".*" "\\1" LLAMATUNE_BUILD_STAMP "${version_line}")
endif()
set_source_files_properties(native/addon.cpp PROPERTIES COMPILE_DEFINITIONS LLAMATUNE_BUILD_STAMP="${LLAMATUNE_BUILD_STAMP}")

file(GLOB addon_sources CONFIGURE_DEPENDS native/addon.cpp native/binding/*.cpp)
if (LLAMATUNE_PORTABLE AND with_onednn)
    add_library(llamatune MODULE native/addon-variants.cpp)
    target_link_libraries(llamatune PRIVATE ${CMAKE_DL_LIBS})
    include(cmake/variants.cmake)
else()
    add_library(llamatune MODULE ${addon_sources} ${CMAKE_JS_SRC})
    target_link_libraries(llamatune PRIVATE llamatune-core)
    llamatune_bundle_onednn(llamatune)
endif()
set_target_properties(llamatune PROPERTIES PREFIX "" SUFFIX ".node")
llamatune_addon_settings(llamatune)
llamatune_addon_link(llamatune)

if (LLAMATUNE_PORTABLE)
    # The CPU variants are loaded at run time and not linked, so the addon needs an explicit dependency on them.
    get_property(backend_targets CACHE GGML_AVAILABLE_BACKENDS PROPERTY VALUE)
    add_dependencies(llamatune ggml ${backend_targets})
endif()
