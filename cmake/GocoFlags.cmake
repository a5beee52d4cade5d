# The flags of the library's own files. GOCO_LIBRARY_FLAGS: every C file; GOCO_GOROUTINE_FLAGS: in addition those that run on a
# goroutine's stack; GOCO_WARNINGS; GOCO_SANITIZE_FLAGS.
include(CheckCCompilerFlag)

# Asked with -Werror: clang only warns about a flag that does nothing.
function(goco_try_flag list flag)
    string(MAKE_C_IDENTIFIER "GOCO_HAVE${flag}" known)
    set(CMAKE_REQUIRED_FLAGS -Werror)
    check_c_compiler_flag("${flag}" ${known})
    if(${known})
        set(${list} ${${list}} ${flag} PARENT_SCOPE)
    endif()
endfunction()

set(GOCO_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes)
if(GOCO_WERROR)
    list(APPEND GOCO_WARNINGS -Werror)
endif()

# Initial-exec: any other model calls __tls_get_addr, which is outside the library. Unwind tables serve the dumps, so no frame
# pointers are kept. No shadow stack follows a switch (src/arch/switch_x86_64.S), and linkers do not rewrite prologues that
# begin with a landing pad.
set(GOCO_LIBRARY_FLAGS -ftls-model=initial-exec)
goco_try_flag(GOCO_LIBRARY_FLAGS -fstack-clash-protection) # a frame never jumps over the guard
goco_try_flag(GOCO_LIBRARY_FLAGS -fasynchronous-unwind-tables)
goco_try_flag(GOCO_LIBRARY_FLAGS -fno-semantic-interposition) # calls between rooms stay direct in position-independent code
# Machine code whatever the program is built with: link-time optimisation would compile the files that run on 2 KB anew, with the flags of
# the whole, and does not see which symbols assembly needs.
goco_try_flag(GOCO_LIBRARY_FLAGS -fno-lto)
set(GOCO_ASM_FLAGS)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64|AMD64")
    goco_try_flag(GOCO_LIBRARY_FLAGS -fcf-protection=none)
    goco_try_flag(GOCO_ASM_FLAGS -fcf-protection=none)
endif()

# A loop that copies must not become a call of memcpy; __stack_chk_fail and the _chk functions are libc's too. A parked goroutine's
# backtrace shows the call that the program made, so no call replaces its caller's frame.
set(GOCO_GOROUTINE_FLAGS -fno-stack-protector -U_FORTIFY_SOURCE -fno-optimize-sibling-calls)
goco_try_flag(GOCO_GOROUTINE_FLAGS -fno-tree-loop-distribute-patterns)
goco_try_flag(GOCO_GOROUTINE_FLAGS -fno-tree-slp-vectorize) # two words written one by one and read as one stall the store buffer
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
    goco_try_flag(GOCO_GOROUTINE_FLAGS -fno-builtin)
endif()

if(GOCO_SANITIZE STREQUAL "address")
    set(GOCO_SANITIZE_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(GOCO_SANITIZE STREQUAL "thread")
    set(GOCO_SANITIZE_FLAGS -fsanitize=thread)
elseif(GOCO_SANITIZE STREQUAL "undefined")
    set(GOCO_SANITIZE_FLAGS -fsanitize=undefined -fno-sanitize-recover=all)
elseif(GOCO_SANITIZE STREQUAL "")
    set(GOCO_SANITIZE_FLAGS)
else()
    message(FATAL_ERROR "GOCO_SANITIZE is '${GOCO_SANITIZE}': use address, thread, undefined or nothing")
endif()
