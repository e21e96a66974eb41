import { type AgentConfig, agentSpec } from "./files/agent.ts";
import { type LoadOptions, loadWithModels } from "./loadDocument.ts";

/**
 * Apart from the other loaders: a gateway, where memory is scarce, keeps the rules of no file that it does not read.
 * @throws {ConfigProblems} with all problems; {KhuXanhError} CONFIG_UNREADABLE.
 */
export function loadAgentConfig(file: string, options: LoadOptions = {}): AgentConfig {
  return loadWithModels(file, agentSpec, options);
}
