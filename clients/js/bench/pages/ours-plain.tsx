import { show } from "./harness.tsx";
import { Ours } from "./ours.tsx";

show(<Ours render={(text) => <p style={{ whiteSpace: "pre-wrap" }}>{text}</p>} />);
