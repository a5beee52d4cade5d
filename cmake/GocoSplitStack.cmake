# The flags that give a program stacks which start at 2 KB (docs/STACKS.md). Used by goco's own build and, installed beside the
# package configuration, by the program's: what counts is the compiler and the linker of whoever compiles the goroutines.
#
# goco_find_split_stack() sets
#   GOCO_SPLIT_COMPILE_OPTIONS   for C and C++ by gcc, on x86-64 with glibc; empty where they do not work
#   GOCO_SPLIT_LINK_OPTIONS      gold or lld: the linkers which move callers of libc to big stacks
#   GOCO_SPLIT_SUMMARY           one line for people
#
# clang gets none: clang 14 cannot compile the definition of a variadic function with -fsplit-stack. Its programs run on reserved
# stacks unless they pass the flags themselves.
include(CheckCSourceCompiles)

function(goco_split_try_linker result flags)
    set(CMAKE_REQUIRED_FLAGS "${CMAKE_REQUIRED_FLAGS} ${flags}")
    # Symbols that the library brings; a prologue which the linker must rewrite; nothing where a sanitizer lays claim on stacks.
    set(source "
#include <stdio.h>
#if !defined(__x86_64__) || !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#error \"reserved stacks\"
#endif
int main(int argc, char **argv) { return printf(\"%s %d\", argv[0], argc) < 0; }
")
    if(CMAKE_C_COMPILER_LOADED)
        check_c_source_compiles("${source}" ${result})
    else()
        include(CheckCXXSourceCompiles)
        check_cxx_source_compiles("${source}" ${result})
    endif()
endfunction()

macro(goco_find_split_stack)
    set(GOCO_SPLIT_COMPILE_OPTIONS)
    set(GOCO_SPLIT_LINK_OPTIONS)
    set(GOCO_SPLIT_SUMMARY "reserved: address space filled page by page")
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU" OR CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        set(goco_split_flags "-fsplit-stack -maccumulate-outgoing-args -fcf-protection=none")
        if("${CMAKE_EXE_LINKER_FLAGS} ${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fuse-ld=")
            # The program has chosen. With a linker that rewrites nothing the runtime notices and uses reserved stacks.
            goco_split_try_linker(GOCO_SPLIT_WITH_CHOSEN "${goco_split_flags}")
            set(goco_split_linker)
            set(goco_split_works ${GOCO_SPLIT_WITH_CHOSEN})
        else()
            goco_split_try_linker(GOCO_SPLIT_WITH_GOLD "${goco_split_flags} -fuse-ld=gold")
            set(goco_split_linker -fuse-ld=gold)
            set(goco_split_works ${GOCO_SPLIT_WITH_GOLD})
            if(NOT goco_split_works)
                goco_split_try_linker(GOCO_SPLIT_WITH_LLD "${goco_split_flags} -fuse-ld=lld")
                set(goco_split_linker -fuse-ld=lld)
                set(goco_split_works ${GOCO_SPLIT_WITH_LLD})
            endif()
        endif()
        if(goco_split_works)
            foreach(goco_split_language IN ITEMS C CXX)
                list(APPEND GOCO_SPLIT_COMPILE_OPTIONS
                    "$<$<COMPILE_LANG_AND_ID:${goco_split_language},GNU>:-fsplit-stack;-maccumulate-outgoing-args;-fcf-protection=none>")
            endforeach()
            # A call bound late would run the dynamic linker on 2 KB.
            set(GOCO_SPLIT_LINK_OPTIONS ${goco_split_linker} -Wl,-z,now)
            set(GOCO_SPLIT_SUMMARY "small: 2 KB, growing (-fsplit-stack ${goco_split_linker})")
        endif()
    endif()
endmacro()
