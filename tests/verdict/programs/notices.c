#include "notices.h"

#include "service.h"

struct notice {
    struct notice *older;
    char text[300];
};

static struct notice *board;

void notices_post(const char *text)
{
    struct notice *notice = filled(malloc(sizeof(*notice)), sizeof(*notice));

    snprintf(notice->text, sizeof(notice->text), "%s", text);
    notice->older = board;
    board = notice;
}
