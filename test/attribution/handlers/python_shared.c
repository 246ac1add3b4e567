/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_shared - the interpreter as programs embed it, and as distributions that build it with
 * --enable-shared have it: in a library. Debian's own python3 has it in the executable.
 */
int Py_BytesMain(int argc, char **argv); /* of the stable ABI: no header is needed */

int main(int argc, char **argv)
{
	return Py_BytesMain(argc, argv);
}
