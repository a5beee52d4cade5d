# Release unless said otherwise, and Release means -O2 with symbols: a goroutine dump without names helps nobody, -O3 only makes
# the library larger, and the tests' assertions stay. A parent project's flags are left alone.
get_property(goco_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(goco_is_top AND NOT goco_multi_config AND NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo or MinSizeRel" FORCE)
endif()
if(goco_is_top)
    set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
    foreach(language IN ITEMS C CXX ASM)
        if(NOT CMAKE_${language}_FLAGS_RELEASE OR CMAKE_${language}_FLAGS_RELEASE STREQUAL "-O3 -DNDEBUG")
            set(CMAKE_${language}_FLAGS_RELEASE "-O2 -g")
        endif()
    endforeach()
endif()
