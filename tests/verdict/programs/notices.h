/* A library of its own: what is posted is copied and kept for ever. */
#ifndef VERDICT_NOTICES_H
#define VERDICT_NOTICES_H

void notices_post(const char *text);

#endif
