# Finds oneDNN, for matmuls on the CPU: sets with_onednn and the target DNNL::dnnl. Does not use oneDNN's CMake package, which
# fails if the OpenCL headers are missing, although they are not needed here.

set(LLAMATUNE_ONEDNN AUTO CACHE STRING "oneDNN for matmuls on the CPU: ON, OFF, or AUTO (on if it is found)")
set(LLAMATUNE_ONEDNN_ROOT "" CACHE PATH "folder where oneDNN is installed, if CMake does not find it")
set(LLAMATUNE_ONEDNN_FETCHED "" CACHE PATH "folder with the downloaded oneDNN, which is used instead and copied next to the addon")

set(with_onednn OFF)
set(onednn_libraries "") # libraries that must be next to the binaries
set(onednn_problem "")
# A portable binary contains the downloaded oneDNN, never an installed one.
if (LLAMATUNE_ONEDNN AND MSVC)
    set(onednn_problem "the CPU accelerator's kernels need GCC or Clang")
elseif (LLAMATUNE_ONEDNN AND NOT LLAMATUNE_SANITIZE AND (LLAMATUNE_ONEDNN_FETCHED OR NOT LLAMATUNE_PORTABLE))
    # Searches again each time, because the earlier result may be outdated.
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
        set(OpenMP_ROOT "${LLAMATUNE_ONEDNN_ROOT}/../libomp") # of Homebrew, which the compiler does not search
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
            # RPATH instead of RUNPATH, because only RPATH is used for the dependencies of libdnnl.
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
set(LLAMATUNE_ONEDNN_PROBLEM "${onednn_problem}" CACHE INTERNAL "why oneDNN was not found")

# Copies the downloaded libraries next to a target, which finds them there, also after the folder is moved.
function(llamatune_bundle_onednn target)
    if (onednn_libraries)
        set_target_properties(${target} PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
        add_custom_command(TARGET ${target} POST_BUILD
            COMMAND ${CMAKE_COMMAND} -E copy_if_different ${onednn_libraries} $<TARGET_FILE_DIR:${target}>)
    endif()
endfunction()
