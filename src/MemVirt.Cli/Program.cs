return MemVirt.Cli.ProcessHost.Run(args);
