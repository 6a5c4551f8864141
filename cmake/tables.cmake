# Tables whose rows are files: a new file in the folder is a new row, and nothing else has to be edited.
# llamatune_table(FOLDER) writes <build>/generated/FOLDER.inc with a line ENTRY(some_name, "some-name") for each
# native/FOLDER/some-name.cpp. A source file in the parent of native/FOLDER includes it.
set(LLAMATUNE_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated)
function(llamatune_table folder)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/native/${folder}/*.cpp)
    set(lines "")
    foreach(path ${files})
        get_filename_component(text ${path} NAME_WE)
        string(REPLACE "-" "_" name ${text})
        string(APPEND lines "ENTRY(${name}, \"${text}\")\n")
    endforeach()
    file(CONFIGURE OUTPUT ${LLAMATUNE_GENERATED_DIR}/${folder}.inc CONTENT "${lines}" @ONLY)
endfunction()
