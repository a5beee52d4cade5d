/* Intrusive doubly linked list with a sentinel. No locking: the owner of the list says which lock covers it. */
#ifndef GO_SRC_BASE_LIST_H
#define GO_SRC_BASE_LIST_H

#include "base/compiler.h"
#include <stdbool.h>

typedef struct go__list {
    struct go__list *next, *prev; /* a sentinel points at itself when empty; an unlinked node has next == NULL */
} go__list;

GO__INLINE void go__list_init(go__list *head)
{
    head->next = head->prev = head;
}

GO__INLINE bool go__list_empty(const go__list *head)
{
    return head->next == head;
}

GO__INLINE void go__list_push_back(go__list *head, go__list *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

GO__INLINE bool go__list_linked(const go__list *node)
{
    return node->next != NULL;
}

GO__INLINE void go__list_remove(go__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

GO__INLINE go__list *go__list_pop_front(go__list *head)
{
    go__list *node = head->next;
    if (node == head) {
        return NULL;
    }
    go__list_remove(node);
    return node;
}

#endif
