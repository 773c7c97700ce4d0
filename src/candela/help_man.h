// SPDX-License-Identifier: MIT
/* Help texts as manual pages (man(7)). No state; any thread. */
#pragma once

#include <stdio.h>

#include "vmm/error.h"

/* The head of a page of section 1: @name as in "candela-run", and what it is in a line. */
void help_man_head(FILE *out, const char *name, const char *about);
/*
 * The sections of @text: SYNOPSIS, DESCRIPTION with what is not of the others, EXIT STATUS. With
 * @title, they are of a part of the page, under that.
 */
void help_man_text(FILE *out, const char *title, const char *text);
