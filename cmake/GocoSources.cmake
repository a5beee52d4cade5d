# goco_sources(GOROUTINE|SYSTEM file…): the room's files of one kind. GOROUTINE files run on a goroutine's 2 KB: they call nothing
# outside the library (tools/check_goroutine_calls) and stay shallow (tools/check_stack_depth). SYSTEM files run on a thread's
# own stack. Each call makes an object library goco_<room>_<kind>, which the archive is put together from.
function(goco_sources kind)
    get_filename_component(room ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    string(TOLOWER ${kind} suffix)
    set(target goco_${room}_${suffix})
    add_library(${target} OBJECT ${ARGN})
    set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON
        C_VISIBILITY_PRESET hidden INTERPROCEDURAL_OPTIMIZATION OFF) # -fno-lto: GocoFlags.cmake
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_compile_options(${target} PRIVATE
        $<$<COMPILE_LANGUAGE:C>:${GOCO_WARNINGS};${GOCO_LIBRARY_FLAGS}> $<$<COMPILE_LANGUAGE:ASM>:${GOCO_ASM_FLAGS}>)
    if(kind STREQUAL "GOROUTINE")
        target_compile_definitions(${target} PRIVATE GO__GOROUTINE_STACK=1)
        target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:${GOCO_GOROUTINE_FLAGS}>)
        # Unoptimised, their frames would not fit below the margin of a small stack.
        target_compile_options(${target} PRIVATE "$<$<AND:$<COMPILE_LANGUAGE:C>,$<NOT:$<OR:$<CONFIG:Release>,$<CONFIG:RelWithDebInfo>,$<CONFIG:MinSizeRel>>>>:-O2>")
    elseif(NOT kind STREQUAL "SYSTEM")
        message(FATAL_ERROR "goco_sources: ${kind} is neither GOROUTINE nor SYSTEM")
    endif()

    if(GOCO_FAULTS)
        goco_add_faults(${target})
    endif()

    # ThreadSanitizer learns of switches from the scheduler, which must not be watched while it makes them; what happens before
    # what between goroutines it is told by the rooms above, whose atomics it sees.
    if(GOCO_SANITIZE STREQUAL "thread" AND room MATCHES "^(base|arch|os|stack|sched|debug)$")
        target_compile_definitions(${target} PRIVATE GO__TSAN_BUILD)
    else()
        target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:${GOCO_SANITIZE_FLAGS}>)
    endif()
    set_property(GLOBAL APPEND PROPERTY GOCO_OBJECTS $<TARGET_OBJECTS:${target}>)
    set_property(GLOBAL APPEND PROPERTY GOCO_OBJECTS_${kind} $<TARGET_OBJECTS:${target}>)
endfunction()
