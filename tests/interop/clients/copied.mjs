// Prints a request as a command for a shell, as the explorer copies it: `copied.mjs FORM REQUEST`.
import { FORMS } from "../../../dynconnect/server/console/explorer/copy.js";

const [, , form, request] = process.argv;
process.stdout.write(FORMS[form](JSON.parse(request)));
