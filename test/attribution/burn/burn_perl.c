/* SPDX-License-Identifier: Apache-2.0 */
/* burn(n, us) of Perl, for dl_install_xsub. */
#define PERL_NO_GET_CONTEXT
#include <EXTERN.h>
#include <perl.h>
#include <XSUB.h>

#include "burn.h"

XS_EXTERNAL(xs_burn);

XS_EXTERNAL(xs_burn)
{
	dXSARGS;

	if (items == 2)
		burn((unsigned)SvUV(ST(0)), (unsigned)SvUV(ST(1)));
	XSRETURN_EMPTY;
}
