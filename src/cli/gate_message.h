/* The sentence of a finding. Pure. */
#ifndef LS_CLI_GATE_MESSAGE_H
#define LS_CLI_GATE_MESSAGE_H

#include "cli/gate.h"

void ls_finding_write_message(struct ls_finding *finding, const struct ls_criteria *criteria);

#endif
