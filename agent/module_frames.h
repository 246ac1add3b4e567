/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object's unwind data, from whichever of its sections and its debug file's have it.
 *
 * AGENT. Private to module.c.
 */
#ifndef SPANPROF_AGENT_MODULE_FRAMES_H
#define SPANPROF_AGENT_MODULE_FRAMES_H

#include "agent/module.h"

/* Into an empty *frames; what cannot be read is absent. */
void module_frames_read(struct module *module, struct module_frames *frames);
void module_frames_release(struct module_frames *frames);

/* .eh_frame_hdr's search table for a section that has none. Without memory there is still none. */
void module_frames_make_hdr(struct module_frames *frames);

#endif
