/** What `bin/etcd` starts: the bundled program, with the code that was made of it. */
import { loadProgram, readCode, runProgram } from "./bundle.js";

const directory = import.meta.dirname;
runProgram(loadProgram(directory, readCode(directory)), import.meta.filename);
