// Stylesheets are imported for what they do; Vite puts them beside the scripts.
declare module "*.css";
