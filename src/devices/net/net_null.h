// SPDX-License-Identifier: MIT
/* Nothing at the other end: all that is sent is gone, and nothing comes. */
#pragma once

#include "devices/net/net_backend.h"

/* -ENOMEM. */
int net_null_create(struct error *err, struct net_backend **ret) must_check;
