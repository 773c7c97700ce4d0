// SPDX-License-Identifier: MIT
/*
 * What a process has in memory of its program and libraries once it is set up: most of that code
 * does not run again. No state.
 */
#pragma once

/*
 * Lets go of the pages of all code and constants that are mapped from files: this process has them
 * no more, and what it still uses comes back from the page cache with the next access. What was
 * written to (relocated data among it) is not touched. Any thread; the others may go on meanwhile.
 */
void startup_code_release(void);
