/* Exit 0 if go__link_is_split() is what argv[1] says. */
#include <stdlib.h>

#include "stack/stack.h"

int main(int argc, char **argv)
{
    return argc == 2 && go__link_is_split() == (atoi(argv[1]) != 0) ? 0 : 1;
}
