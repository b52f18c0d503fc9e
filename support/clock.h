/* The time that steps of a compilation take. */
#ifndef SUPPORT_CLOCK_H
#define SUPPORT_CLOCK_H

/* Milliseconds since some moment in the past; never runs backwards. */
double clock_milliseconds(void);

#endif
