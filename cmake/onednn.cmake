# oneDNN, for the CPU's matrix products: sets with_onednn and the target DNNL::dnnl. Looked for here and not through its
# own CMake package, which ends the configuration where OpenCL's headers are missing, though nothing here needs them.

set(LLAMATUNE_ONEDNN AUTO CACHE STRING "oneDNN for the CPU's matrix products: ON, OFF, or AUTO (on when it is found)")
set(LLAMATUNE_ONEDNN_ROOT "" CACHE PATH "where oneDNN is installed, if not in a usual place")
set(LLAMATUNE_ONEDNN_FETCHED "" CACHE PATH "what scripts/onednn.mjs fetched: used instead, and copied beside the addon")

set(with_onednn OFF)
set(onednn_libraries "") # what has to lie beside the binaries
set(onednn_problem "")
# A portable binary carries the fetched oneDNN, never one that is installed on this machine.
if (LLAMATUNE_ONEDNN AND MSVC)
    set(onednn_problem "the CPU accelerator's kernels need GCC or Clang")
elseif (LLAMATUNE_ONEDNN AND NOT LLAMATUNE_SANITIZE AND (LLAMATUNE_ONEDNN_FETCHED OR NOT LLAMATUNE_PORTABLE))
    # Found anew each time: what was found before may be gone, or another one is asked for.
    unset(LLAMATUNE_DNNL_INCLUDE_DIR CACHE)
    unset(LLAMATUNE_DNNL_LIBRARY CACHE)
    if (LLAMATUNE_ONEDNN_FETCHED)
        set(LLAMATUNE_DNNL_INCLUDE_DIR "${LLAMATUNE_ONEDNN_FETCHED}/include")
        file(GLOB onednn_libraries "${LLAMATUNE_ONEDNN_FETCHED}/lib/*.so.*")
        file(GLOB LLAMATUNE_DNNL_LIBRARY "${LLAMATUNE_ONEDNN_FETCHED}/lib/libdnnl.so.*")
    else()
        set(onednn_places ${LLAMATUNE_ONEDNN_ROOT} ${DNNL_ROOT} ENV DNNL_ROOT ENV DNNLROOT)
        find_path(LLAMATUNE_DNNL_INCLUDE_DIR dnnl.hpp HINTS ${onednn_places} PATH_SUFFIXES include)
        find_library(LLAMATUNE_DNNL_LIBRARY dnnl HINTS ${onednn_places}
            PATH_SUFFIXES lib lib64 lib/${CMAKE_LIBRARY_ARCHITECTURE})
    endif()
    if (APPLE AND LLAMATUNE_ONEDNN_ROOT AND NOT OpenMP_ROOT)
        set(OpenMP_ROOT "${LLAMATUNE_ONEDNN_ROOT}/../libomp") # of Homebrew, which the compiler does not look into
    endif()
    find_package(OpenMP QUIET COMPONENTS CXX)
    if (LLAMATUNE_DNNL_INCLUDE_DIR AND LLAMATUNE_DNNL_LIBRARY AND OpenMP_CXX_FOUND)
        set(with_onednn ON)
        if (onednn_libraries)
            add_library(DNNL::dnnl SHARED IMPORTED)
        else()
            add_library(DNNL::dnnl UNKNOWN IMPORTED)
        endif()
        set_target_properties(DNNL::dnnl PROPERTIES
            IMPORTED_LOCATION "${LLAMATUNE_DNNL_LIBRARY}"
            INTERFACE_INCLUDE_DIRECTORIES "${LLAMATUNE_DNNL_INCLUDE_DIR}")
        if (onednn_libraries)
            # RPATH, not RUNPATH: only that is searched for what libdnnl itself needs.
            set_target_properties(DNNL::dnnl PROPERTIES INTERFACE_LINK_OPTIONS
                "-Wl,--disable-new-dtags;-Wl,-rpath-link,${LLAMATUNE_ONEDNN_FETCHED}/lib")
        endif()
        message(STATUS "llamatune: with oneDNN (${LLAMATUNE_DNNL_LIBRARY})")
    elseif (NOT LLAMATUNE_DNNL_INCLUDE_DIR OR NOT LLAMATUNE_DNNL_LIBRARY)
        set(onednn_problem "oneDNN was not found")
    else()
        set(onednn_problem "oneDNN was found, but the compiler's OpenMP was not")
    endif()
endif()
if (onednn_problem AND LLAMATUNE_ONEDNN STREQUAL "ON")
    message(FATAL_ERROR "LLAMATUNE_ONEDNN is ON but ${onednn_problem}")
endif()
set(LLAMATUNE_ONEDNN_PROBLEM "${onednn_problem}" CACHE INTERNAL "why the build is without oneDNN, which was looked for")

# Puts what was fetched beside a target, where it is found without any setting, wherever that folder is moved.
function(llamatune_bundle_onednn target)
    if (onednn_libraries)
        set_target_properties(${target} PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
        add_custom_command(TARGET ${target} POST_BUILD
            COMMAND ${CMAKE_COMMAND} -E copy_if_different ${onednn_libraries} $<TARGET_FILE_DIR:${target}>)
    endif()
endfunction()
