# GOCO_FAULTS=ON: every C file of the library is compiled with tests/fault/faultpoint.h in front of it, which leads allocations and system
# calls past a counter that can make the n-th one fail. The sources know nothing of it, so a build without it cannot differ.
set(goco_fault_folder ${PROJECT_SOURCE_DIR}/tests/fault)

# Called by goco_sources for each object library.
function(goco_add_faults target)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:SHELL:-include ${goco_fault_folder}/faultpoint.h>)
endfunction()

# The counters run where the library does: at the end of small stacks, in the middle of calls whose vector arguments are live.
add_library(goco_faults OBJECT ${goco_fault_folder}/faultpoint.c)
set_target_properties(goco_faults PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON POSITION_INDEPENDENT_CODE ON)
target_include_directories(goco_faults PRIVATE ${PROJECT_SOURCE_DIR}/src ${goco_fault_folder})
target_compile_options(goco_faults PRIVATE ${GOCO_WARNINGS} ${GOCO_LIBRARY_FLAGS} ${GOCO_GOROUTINE_FLAGS})
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64|AMD64")
    target_compile_options(goco_faults PRIVATE -mgeneral-regs-only)
endif()
set_property(GLOBAL APPEND PROPERTY GOCO_OBJECTS $<TARGET_OBJECTS:goco_faults>)
