// SPDX-License-Identifier: MIT
/* In place of the filters, where candela is built without libseccomp. */
#include "candela/sandbox_filter.h"

const struct sandbox_filter sandbox_filters[SANDBOX_KINDS] = {0};

const char *const sandbox_call_names[1] = {0};
const size_t sandbox_call_name_count = 0;
